import gzip
import hashlib
import math

import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader

from equipoise.lab.cases import CASES, reviews
from equipoise.lab.cases.reviews import embedded_reviews, read_targets, split_reviews
from equipoise.lab.data.split import SPLITS, split_of
from equipoise.lab.data.table import parse_table
from equipoise.lab.data.words import words

HEADER = "Title,Review Text,Age,Rating,Recommended IND,Department Name\n"


@pytest.fixture(scope="module")
def case():
    return CASES["reviews"]()


@pytest.fixture(scope="module")
def table():
    return parse_table("a.csv.gz", embedded_reviews())


def small_case(rows):
    return reviews(gzip.compress((HEADER + "".join(f"{row}\n" for row in rows)).encode()))


def batch_of(case, split):
    return next(iter(DataLoader(case.data[split], len(case.data[split]), collate_fn=case.collate)))


def test_no_text_is_in_two_splits_and_none_is_lost(table):
    split = split_reviews(table)
    texts = {name: set() for name in SPLITS}
    for text, name in zip(table.cells("Review Text"), split, strict=True):
        texts[name].add(" ".join(words(text)))
    assert not texts["train"] & texts["validation"]
    assert not texts["train"] & texts["test"]
    assert not texts["validation"] & texts["test"]
    assert [split.count(name) for name in SPLITS] == [4119, 899, 982]


def test_the_same_words_share_a_split_whatever_their_title_case_and_order_in_the_file():
    one, other = 'Great,"So soft, and warm!",30,5,1,Tops', ",so soft and warm,55,1,0,"
    rest = [f",review number {i},30,3,1,Tops" for i in range(50)]
    for rows in ([one, *rest, other], [other, *rest, one]):
        split = split_reviews(parse_table("a.csv", (HEADER + "\n".join(rows)).encode()))
        assert {split[0], split[-1]} == {split_of("so soft and warm")}


def test_vocabulary_is_chosen_from_the_training_split():
    # by sha256 "a" is in validation, "b" and "c" in train
    case = small_case([",b,30,5,1,Tops", ",c,30,1,0,Dresses", "b,a,30,3,1,Tops"])
    (numbers, _), _ = batch_of(case, "validation")
    assert len(numbers) == 1  # the title's "b" is known, the text's "a" is not
    (numbers, _), _ = batch_of(case, "train")
    assert sorted(numbers.tolist()) == [0, 1]


def test_targets_are_those_of_the_file(case, table):
    labels, split = read_targets(table), split_reviews(table)
    _, targets = batch_of(case, "validation")
    assert targets.keys() == labels.keys()
    for name, values in targets.items():
        expected = [value for value, one in zip(labels[name].tolist(), split, strict=True) if one == "validation"]
        assert values.tolist() == expected
    assert targets["department"].dtype == torch.int64
    assert 0 <= targets["department"].min() <= targets["department"].max() <= 5


def test_missing_departments_are_absent_labels():
    case = small_case([",b,30,5,1,", ",c,30,1,0,Dresses", ",a,30,3,1,Tops"])
    inputs, targets = batch_of(case, "train")
    outputs = case.model(case.tasks.names)(inputs)
    losses = case.tasks.losses(outputs, targets)
    assert losses.counts == {"rating": 2, "recommended": 2, "department": 1}
    assert_close(losses["department"], -outputs["department"][1].log_softmax(0)[1])  # Dresses is number 1

    _, targets = case.data["train"].rows(targets["department"] < 0)
    outputs = {name: output[:1] for name, output in outputs.items()}
    assert case.tasks.losses(outputs, targets).keys() == {"rating", "recommended"}


def test_metrics_by_hand(case):
    (rmse,), (auroc,), (accuracy,) = (case.metrics[name] for name in ("rating", "recommended", "department"))
    # errors 1, 0, -2, so the mean square is 5/3
    assert rmse.compute(torch.tensor([5.0, 3.0, 1.0]), torch.tensor([4.0, 3.0, 3.0])) == pytest.approx(math.sqrt(5 / 3))
    # of the pairs (positive, negative), 3 > 0, 3 > 2 and 1 > 0 are in order, 1 > 2 is not
    logits, labels = torch.tensor([3.0, 0.0, 2.0, 1.0]), torch.tensor([1.0, 0.0, 0.0, 1.0])
    assert auroc.compute(logits, labels) == pytest.approx(3 / 4)
    assert auroc.compute(1000 * logits, labels) == pytest.approx(3 / 4)  # far beyond where a sigmoid saturates
    # five of class 0, one of class 1; only class 1 is missed: the share of samples, not a mean over classes
    logits = torch.eye(6)[torch.tensor([0, 0, 0, 0, 0, 5])]
    assert accuracy.compute(logits, torch.tensor([0, 0, 0, 0, 0, 1])) == pytest.approx(5 / 6)
    assert [(m.perfect, m.higher_is_better) for m in (rmse, auroc, accuracy)] == [
        (0, False),
        (1, True),
        (1, True),
    ]


def test_trivial_values_are_those_of_a_constant_fitted_on_train(case):
    train, validation = batch_of(case, "train")[1], batch_of(case, "validation")[1]
    (rmse,), (auroc,), (accuracy,) = (case.metrics[name] for name in ("rating", "recommended", "department"))
    mean = sum(train["rating"].tolist()) / len(train["rating"])
    squares = [(value - mean) ** 2 for value in validation["rating"].tolist()]
    assert rmse.trivial == pytest.approx(math.sqrt(sum(squares) / len(squares)))
    assert auroc.trivial == 0.5
    assert accuracy.trivial == pytest.approx(validation["department"].tolist().count(0) / 899)  # Tops lead


def test_trivial_accuracy_leaves_missing_labels_out():
    assert small_case([",b,30,5,1,", ",c,30,1,0,Dresses", ",a,30,3,1,Dresses"]).metrics["department"][0].trivial == 1.0


def test_the_same_seed_gives_every_subset_of_tasks_the_same_weights(case):
    torch.manual_seed(3)
    whole = case.model(case.tasks.names).state_dict()
    for name in case.tasks.names:
        torch.manual_seed(3)
        single = case.model([name])
        assert list(single.heads) == [name]
        for key, value in single.state_dict().items():
            assert torch.equal(value, whole[key]), key
    assert sum(value.numel() for value in whole.values()) < 500_000


def test_before_training_the_network_predicts_the_mean_rating(case):
    inputs, targets = batch_of(case, "train")
    torch.manual_seed(0)
    outputs = case.model(["rating"]).eval()(inputs)["rating"]
    assert_close(outputs.mean(), targets["rating"].mean(), atol=0.2, rtol=0)


def test_hash_is_of_the_file(case):
    assert case.data_hash == hashlib.sha256(embedded_reviews()).hexdigest()
