"""Losses by name: which are there, which is the case's own, and a case with others."""

from dataclasses import replace

import pytest
import torch
from real_data import needs
from torch import nn

import equipoise as eq
from equipoise import losses
from equipoise.lab.cases import CASES, TableCase, Target, check_case, own_loss, reviews, with_losses
from equipoise.lab.cases.usual_losses import label_losses

KNOWN = {"a": {"mse": nn.MSELoss, "huber": lambda delta=1.0: nn.HuberLoss(delta=delta)}}


@pytest.fixture(scope="module")
def reviews_case():
    return reviews()


@pytest.fixture
def table(tmp_path):
    colours, tags = ("red", "green", "blue"), ("x", "x;y", "y")
    rows = [
        f"w{n},{n * 0.7},{n % 2},{colours[n % 3]},{n % 4},{tags[n % 3]}" if n % 7 else f"w{n},,,,," for n in range(240)
    ]
    path = tmp_path / "own.csv"
    path.write_text("\n".join(["text,price,sold,colour,grade,tags", *rows]))
    kinds = {"price": "regression", "sold": "binary", "colour": "multiclass", "grade": "ordinal", "tags": "multilabel"}
    return TableCase(str(path), tuple(Target(name, kind) for name, kind in kinds.items()), text=("text",))()


def test_every_loss_of_a_kind_takes_a_tables_labels_and_the_first_is_its_own(table):
    assert list(table.losses) == ["price", "sold", "colour", "tags"]  # of levels only CORN is read as it is trained
    check_case(table)
    assert set(table.losses["tags"]) == {*table.losses["sold"], "soft-f1"}


@pytest.mark.parametrize(
    "make",
    [
        reviews,
        *(
            pytest.param(CASES[name], marks=[needs(name), pytest.mark.slow], id=name)
            for name in ("census", "goemotions", "coffee-leaf", "tox21")
        ),
    ],
)
def test_every_loss_of_a_ready_case_takes_its_labels_and_the_first_is_its_own(make):
    case = make()
    assert case.losses
    check_case(case)


def test_weights_and_counts_are_of_the_known_labels_of_training(table):
    """3 classes and 2 answers as the training rows have them, the empty cells left out."""
    train = table.data["train"]
    _, labels = table.collate([train[row] for row in range(len(train))])
    counts = with_losses(table, {"colour": "logit-adjusted"}).tasks["colour"].loss.class_counts
    assert counts.tolist() == [int((labels["colour"] == place).sum()) for place in range(3)]
    assert counts.sum() < len(train)
    weight = with_losses(table, {"sold": "weighted-bce"}).tasks["sold"].loss.pos_weight
    assert weight.tolist() == pytest.approx([float((labels["sold"] == 0).sum() / (labels["sold"] == 1).sum())])


def test_a_label_that_is_never_positive_weighs_one():
    """4 known rows: 3 negatives per positive, none positive, 1 negative for 3 positives."""
    rows = [[1, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0], [float("nan")] * 3]
    assert label_losses(torch.tensor(rows))["weighted-bce"]().pos_weight.tolist() == pytest.approx([3.0, 1.0, 1 / 3])


def test_the_rest_of_a_case_stays(reviews_case):
    other = with_losses(reviews_case, {"rating": "huber:delta=0.5", "recommended": "focal"})
    assert isinstance(other.tasks["rating"].loss, nn.HuberLoss)
    assert other.tasks["rating"].loss.delta == 0.5
    assert isinstance(other.tasks["recommended"].loss, losses.BinaryFocalLoss)
    assert other.tasks["department"].loss is reviews_case.tasks["department"].loss
    assert (other.data, other.metrics) == (reviews_case.data, reviews_case.metrics)
    assert isinstance(reviews_case.tasks["rating"].loss, nn.MSELoss)
    assert other.name == "reviews-rating-huber-delta-0.5-recommended-focal"  # a folder may be called so


def test_the_name_depends_on_what_is_chosen_alone_and_is_short_enough_for_a_folder(reviews_case):
    once = with_losses(reviews_case, {"department": "focal", "rating": "huber:delta=0.5"})
    twice = with_losses(with_losses(reviews_case, {"rating": "huber"}), {"rating": "huber:delta=0.5"})
    assert once.name == "reviews-rating-huber-delta-0.5-department-focal"
    assert twice.name == "reviews-rating-huber-delta-0.5"
    assert with_losses(twice, {"department": "focal"}).name == once.name
    assert with_losses(twice, {"department": "focal"}).title == once.title
    deltas = [f"0.{'1' * 300}{last}" for last in "12"]
    long, other = (with_losses(reviews_case, {"rating": f"huber:delta={delta}"}) for delta in deltas)
    assert max(len(long.name), len(other.name)) < 100
    assert long.name != other.name
    assert with_losses(long, {"rating": "l1"}).name == "reviews-rating-l1"


def test_what_is_chosen_is_then_the_cases_own(reviews_case):
    other = with_losses(reviews_case, {"rating": "huber:delta=0.5"})
    assert own_loss(other, "rating").name == "huber"
    assert own_loss(other, "rating").arguments == {"delta": 0.5}
    assert set(other.losses["rating"]) == set(reviews_case.losses["rating"])
    check_case(other)
    back = with_losses(other, {"rating": "mse"})
    assert repr(back.tasks) == repr(reviews_case.tasks)
    assert list(back.losses["rating"]) == ["mse", "huber", "l1"]


def test_a_task_keeps_its_weight_its_keys_and_its_missing_labels(reviews_case):
    task = eq.Task("a", nn.MSELoss(), weight=3.0, output="one", target="two", missing="loss")
    case = replace(reviews_case, tasks=eq.Tasks([task]), losses=KNOWN, metrics={"a": reviews_case.metrics["rating"]})
    made = with_losses(case, {"a": "huber"}).tasks["a"]
    assert (made.weight, made.output, made.target, made.missing) == (3.0, "one", "two", "loss")


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"ratings": "huber"}, "no task 'ratings'; did you mean 'rating'"),
        ({"rating": "hubert"}, "task 'rating' has no loss 'hubert'; did you mean 'huber'"),
        ({"rating": "huber:delt=1"}, "loss 'huber' of 'rating' has no argument 'delt'; did you mean 'delta'"),
        ({"rating": "l1:delta=1"}, "loss 'l1' of 'rating' has no argument 'delta'; there are none"),
        ({"recommended": "focal:gamma=1:gamma=2"}, "argument 'gamma' of loss 'focal' is given twice"),
        ({"recommended": "focal:gamma"}, "argument 'gamma' of loss 'focal' must have a value, such as gamma=1"),
        ({"recommended": "focal:gamma="}, "argument 'gamma' of loss 'focal' must have a value"),
        ({"recommended": "focal:gamma=1=2"}, "recommended=focal:gamma=1=2: "),
        ({"recommended": "focal:gamma=-1"}, "recommended=focal:gamma=-1: gamma must lie in .*, got -1"),
        ({"recommended": "focal:gamma=much"}, "recommended=focal:gamma=much: "),
    ],
)
def test_what_cannot_be_chosen(reviews_case, chosen, message):
    with pytest.raises(ValueError, match=message):
        with_losses(reviews_case, chosen)


def test_a_task_without_losses_by_name(reviews_case):
    for known, rest in (
        ({"rating": reviews_case.losses["rating"]}, " of 'department' by name, only of rating"),
        ({}, " by name"),
    ):
        case = replace(reviews_case, losses=known)
        with pytest.raises(ValueError, match=f"case reviews knows no losses{rest}: give one from a file, department="):
            with_losses(case, {"department": "focal"})


@pytest.mark.parametrize(
    ("known", "message"),
    [
        ({"ratin": {"mse": nn.MSELoss}}, "losses has 'ratin', which is no task; did you mean 'rating'"),
        ({"rating": {"mean square": nn.MSELoss}}, "a name is of letters, digits and -, got 'mean square'"),
        ({"rating": {"l1": nn.L1Loss, "mse": nn.MSELoss}}, r"first must make the task's own MSELoss\(\), got L1Loss"),
        ({"rating": {"mse": nn.MSELoss, "none": lambda: nn.MSELoss(reduction="none")}}, "scalar"),
    ],
)
def test_losses_of_a_users_case_are_checked(reviews_case, known, message):
    with pytest.raises(ValueError, match=message):
        check_case(replace(reviews_case, losses=known))


@pytest.mark.parametrize(
    ("task", "own", "first"),
    [
        ("recommended", nn.BCEWithLogitsLoss(pos_weight=torch.tensor(5.0)), nn.BCEWithLogitsLoss),
        ("department", nn.CrossEntropyLoss(label_smoothing=0.1), nn.CrossEntropyLoss),
    ],
)
def test_the_first_loss_must_have_the_values_of_the_own_one_whose_repr_hides_them(reviews_case, task, own, first):
    tasks = eq.Tasks([replace(known, loss=own if known.name == task else known.loss) for known in reviews_case.tasks])
    with pytest.raises(ValueError, match=f"losses of '{task}': .* got one that gives"):
        check_case(replace(reviews_case, tasks=tasks, losses={task: {"own": first}}))
    check_case(replace(reviews_case, tasks=tasks, losses={task: {"own": lambda: own}}))
