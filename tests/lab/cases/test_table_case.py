import csv
import hashlib
import math
import pickle
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader

from equipoise.lab.cases import TableCase, Target, table_network
from equipoise.lab.data.split import SPLITS
from equipoise.lab.studies import make_plan
from equipoise.losses import corn

COLUMNS = ("text", "age", "colour", "price", "good", "kind", "size", "tags", "user")


def cells(i):
    """Row i; every fifth lacks its labels."""
    labels = [str(1000 + 3 * i), "ny"[i % 2], "abc"[i % 3], ("low", "mid", "high")[i % 3], ("x;y", "y", ";")[i % 3]]
    return [f"words of {i}", str(i), "rgb"[i % 3], *(["" for _ in labels] if i % 5 == 0 else labels), f"u{i // 4}"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    path = tmp_path_factory.mktemp("table") / "shop.csv"
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *map(cells, range(300))])
    targets = "price:regression", "good:binary", "kind:multiclass", "size:ordinal:low,mid,high", "tags:multilabel"
    return TableCase(
        str(path), tuple(map(Target.parse, targets)), text=("text",), number=("age",), category=("colour",)
    )


@pytest.fixture(scope="module")
def case(recipe):
    return recipe()


def whole(case, split):
    return next(iter(DataLoader(case.data[split], len(case.data[split]), collate_fn=case.collate)))


@pytest.mark.parametrize(
    ("inputs", "words"),
    [(1, "n0"), (2, "n0 and n1"), (4, "n0, n1, n2 and n3"), (5, "n0, n1, n2 and 2 more"), (9, "n0, n1, n2 and 6 more")],
)
def test_the_title_names_all_of_a_few_columns_and_the_first_of_many(tmp_path, inputs, words):
    numbers = tuple(f"n{k}" for k in range(inputs))
    rows = [[i, *(i * (k + 1) for k in range(inputs))] for i in range(60)]
    with (tmp_path / "wide.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["price", *numbers], *rows])
    case = TableCase(str(tmp_path / "wide.csv"), (Target("price", "regression"),), number=numbers)()
    assert case.title == f"wide.csv: price from {words}"


def test_every_row_is_in_one_split(case):
    rows = [row for split in SPLITS for row in case.data[split].rows]
    assert sorted(rows) == list(range(300))
    assert all(len(case.data[split]) > 20 for split in SPLITS)


def test_labels_are_those_of_the_file_and_empty_cells_are_absent(case):
    for split in SPLITS:
        rows = case.data[split].rows
        inputs, targets = whole(case, split)
        outputs = case.model(case.tasks.names).eval()(inputs)
        counts = case.tasks.losses(outputs, targets).counts
        filled = [row for row in rows if row % 5]
        assert counts["price"] == counts["good"] == counts["kind"] == len(filled)
        levels = targets["size"][targets["size"] >= 0]
        assert len(levels) == len(filled)
        assert counts["size"] == (levels + 1).clamp(max=outputs["size"].shape[1]).sum()  # CORN's questions
        assert counts["tags"] == 2 * len(filled)
        kept = torch.tensor([row % 5 > 0 for row in rows])
        assert targets["good"][kept].tolist() == [row % 2 for row in filled]
        assert targets["kind"][kept].tolist() == [row % 3 for row in filled]
        assert targets["size"][kept].tolist() == [row % 3 for row in filled]
        assert targets["tags"][kept].tolist() == [[[1, 1], [0, 1], [0, 0]][row % 3] for row in filled]
        assert (targets["kind"][~kept] == -100).all()
        assert targets["good"][~kept].isnan().all()


def test_the_loss_of_levels_is_corn(case):
    inputs, targets = whole(case, "train")
    outputs = case.model(case.tasks.names).eval()(inputs)
    kept = targets["size"] >= 0
    assert outputs["size"].shape[1] == 2
    losses = case.tasks.losses(outputs, targets)
    assert_close(losses["size"], corn(outputs["size"][kept], targets["size"][kept]))


def test_regression_is_standardised_in_training_and_judged_in_its_unit(case):
    labels = whole(case, "train")[1]["price"]
    known = labels[~labels.isnan()].double()
    assert_close(known.mean(), torch.tensor(0.0, dtype=torch.float64), atol=1e-6, rtol=0)
    assert_close(known.square().mean(), torch.tensor(1.0, dtype=torch.float64), atol=1e-5, rtol=0)
    prices = {split: [1000.0 + 3 * row for row in case.data[split].rows if row % 5] for split in SPLITS}
    mean = sum(prices["train"]) / len(prices["train"])
    rmse, r2 = case.metrics["price"]
    assert (rmse.name, r2.name) == ("rmse", "r2")
    target = whole(case, "validation")[1]["price"]
    target = target[~target.isnan()]
    # the mean of the training rows is 0 in their standard
    expected = math.sqrt(sum((price - mean) ** 2 for price in prices["validation"]) / len(prices["validation"]))
    assert rmse.compute(torch.zeros_like(target), target) == pytest.approx(expected, rel=1e-5)
    assert rmse.trivial == pytest.approx(expected, rel=1e-5)
    deviation = math.sqrt(sum((price - mean) ** 2 for price in prices["train"]) / len(prices["train"]))
    assert rmse.compute(target + 1, target) == pytest.approx(deviation, rel=1e-5)


def test_metrics_follow_from_the_kind(case):
    names = {task: [metric.name for metric in metrics] for task, metrics in case.metrics.items()}
    assert names == {
        "price": ["rmse", "r2"],
        "good": ["auroc", "average-precision"],
        "kind": ["accuracy", "f1-macro"],
        "size": ["level-mae-conditional", "within-one-level-conditional"],
        "tags": ["f1-macro", "average-precision"],
    }
    for metrics in case.metrics.values():
        assert all(math.isfinite(metric.trivial) for metric in metrics)


def test_a_loss_that_moves_all_logits_of_a_label_does_not_change_how_its_labels_are_judged(case):
    target = whole(case, "validation")[1]["tags"]
    target = target[~target[:, 0].isnan()]
    logits = target + torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    moved = logits + torch.tensor([3.0, -2.0])
    for metric in case.metrics["tags"]:
        fitted = (metric.calibrate(scores, target) if metric.calibrate else metric for scores in (logits, moved))
        kept, kept_moved = fitted
        assert kept.compute(logits, target) == pytest.approx(kept_moved.compute(moved, target))


def test_groups_stay_together(recipe):
    case = replace(recipe, group="user")()
    where = {split: {row // 4 for row in case.data[split].rows} for split in SPLITS}
    assert not where["train"] & where["validation"]
    assert not where["train"] & where["test"]
    assert not where["validation"] & where["test"]


def test_rows_with_the_same_inputs_stay_together_whatever_the_writing(recipe, tmp_path):
    path = tmp_path / "twice.csv"
    rows = [cells(i) for i in range(1, 200)]
    again = [[row[0].upper() + "!", *row[1:]] for row in rows]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows, *again])
    case = replace(recipe, path=str(path))()
    for split in SPLITS:
        places = case.data[split].rows
        assert {row for row in places if row < 199} == {row - 199 for row in places if row >= 199}


def test_the_same_seed_gives_every_subset_of_tasks_the_same_weights(case):
    torch.manual_seed(3)
    together = case.model(case.tasks.names).state_dict()
    for name in case.tasks.names:
        torch.manual_seed(3)
        single = case.model([name])
        assert list(single.names) == [name]
        for key, value in single.state_dict().items():
            assert torch.equal(value, together[key]), key


def test_few_rows_and_few_tasks_of_more_than_text_have_members(recipe, monkeypatch):
    def members(recipe):
        case = recipe()
        return case.model(case.tasks.names).encoder.members

    assert [members(recipe), members(replace(recipe, number=(), category=()))] == [4, 1]
    for limit in ("MEMBERS_UP_TO", "MANY_TASKS"):
        with monkeypatch.context() as patch:
            patch.setattr(table_network, limit, 1)
            assert members(recipe) == 1, limit


def test_a_recipe_travels_to_workers_and_says_what_makes_it_different(recipe, case):
    copy = pickle.loads(pickle.dumps(recipe))
    assert copy == recipe
    assert hash(copy) == hash(recipe)
    assert case.name == "shop"
    with open(recipe.path, "rb") as file:
        assert case.data_hash == hashlib.sha256(file.read()).hexdigest()
    assert recipe.options["target"][3] == "size:ordinal:low,mid,high"
    assert replace(recipe, number=()).options != recipe.options


@pytest.mark.parametrize("text", ["price: net:regression", "a:ordinal:low,mid", "kind:multiclass", "a:ordinal"])
def test_targets_are_read_as_they_are_written(text):
    assert str(Target.parse(text)) == text


def test_all_targets_with_nothing_to_learn_are_named_and_can_be_left_out(tmp_path):
    path = tmp_path / "assays.csv"
    with path.open("w", newline="") as file:
        rows = [[i, i % 2, "", 1, int(i == 3), i % 7] for i in range(200)]
        csv.writer(file).writerows([["x", "good", "empty", "always", "rare", "number"], *rows])
    targets = tuple(map(Target.parse, ["good:binary", "empty:binary", "always:binary", "rare:binary"]))
    case = TableCase(str(path), targets, number=("x",))
    with pytest.raises(ValueError, match=r"'empty' .* empty in every row; .*'always' .*; .*'rare' .*drop-.*3 of 4"):
        case()
    usable, why = case.usable()
    assert usable == replace(case, targets=targets[:1])
    assert list(why) == ["empty", "always", "rare"]
    assert usable().tasks.names == ("good",)
    (note,) = usable().notes
    assert note == f"Left out: {'; '.join(why.values())}."
    assert make_plan(usable, ["sum"], [0]).describe()["notes"] == [note]
    with pytest.raises(ValueError, match=r"'always' .*; .*'rare' .*more such rows$"):
        replace(case, targets=targets[2:]).usable()


def test_a_cell_that_is_wrong_is_no_reason_to_leave_a_target_out(recipe):
    with pytest.raises(ValueError, match="row 3, column 'kind': 'b' is no number"):
        replace(recipe, targets=(*recipe.targets[:1], Target("kind", "regression"))).usable()
