import math

import pytest
import torch
from torch import nn
from torchmetrics.classification import BinaryF1Score, MulticlassConfusionMatrix

import equipoise as eq
from equipoise.lab.cases import Metric, make_metrics
from equipoise.lab.metrics import metric

RATINGS = torch.tensor([1.0, 2.0, 3.0, math.nan])
CLICKS = torch.tensor([1.0, 0.0, 0.0, 1.0])
GROUPS = torch.tensor([2, 2, 0, -1])
TASKS = eq.Tasks(
    [
        eq.Task("rating", nn.MSELoss()),
        eq.Task("click", nn.BCEWithLogitsLoss(), target="clicked"),
        eq.Task("group", nn.CrossEntropyLoss(ignore_index=-1)),
    ]
)
TRAIN = {"rating": RATINGS, "clicked": CLICKS, "group": GROUPS}
VALIDATION = {"rating": torch.tensor([4.0, 2.0]), "clicked": torch.tensor([0.0, 1.0]), "group": torch.tensor([2, -1])}
SIZES = {"group": {"num_classes": 3}}


def test_metrics_follow_from_the_losses():
    made = make_metrics(TASKS, TRAIN, VALIDATION, sizes=SIZES)
    assert {task: [m.name for m in metrics] for task, metrics in made.items()} == {
        "rating": ["rmse", "r2"],
        "click": ["auroc", "average-precision"],
        "group": ["accuracy", "f1-macro"],
    }
    # the mean of 1, 2, 3 misses 4 and 2 by 2 and 0; half of the validation split is clicked; it is all group 2
    assert [m.trivial for m in made["rating"]] == pytest.approx([math.sqrt(2), -1.0])
    assert [m.trivial for m in made["click"]] == pytest.approx([0.5, 0.5])
    assert made["group"][0].trivial == 1.0
    assert [(m.higher_is_better, m.perfect) for m in made["rating"]] == [(False, 0.0), (True, 1.0)]


def test_a_metric_may_be_a_name_a_torchmetrics_metric_or_ready_made():
    mine = Metric("zero", higher_is_better=True, perfect=1.0, trivial=0.5, compute=lambda outputs, targets: 0.0)
    used = metric("f1")
    used.update(torch.ones(9), torch.zeros(9))  # is not remembered
    chosen = {"rating": ["mae"], "click": [BinaryF1Score(), used], "group": [mine, "f1-weighted"]}
    made = make_metrics(TASKS, TRAIN, VALIDATION, chosen, SIZES)
    assert made["group"][0] is mine
    assert [m.name for m in made["click"]] == ["BinaryF1Score", "f1"]
    # all logits within [0, 1], where torchmetrics alone would take them for probabilities
    outputs, targets = torch.tensor([0.3, 0.2, 0.9]), torch.tensor([1.0, 0.0, math.nan])
    # one right, one false alarm, and what has no label: F1 = 2 / (2 + 1)
    assert [m.compute(outputs, targets) for m in made["click"]] == pytest.approx([2 / 3, 2 / 3])
    logits = torch.eye(3)[[2, 0, 1]]
    assert made["group"][1].compute(logits, torch.tensor([2, 0, -1])) == 1.0


def test_a_split_that_a_metric_refuses_is_not_remembered_by_that_of_another_task():
    first, second = (make_metrics(TASKS, TRAIN, VALIDATION, {t: ["rmse"]}, SIZES)[t][0] for t in ("rating", "click"))
    with pytest.raises(ValueError, match=r"'rmse' does not take outputs \(2,\) and targets \(3,\)"):
        first.compute(torch.zeros(2), torch.zeros(3))
    assert first.compute(torch.tensor([5.0]), torch.tensor([1.0])) == 4.0
    assert second.compute(torch.tensor([2.0]), torch.tensor([1.0])) == 1.0


def test_each_call_starts_afresh_and_an_absent_task_has_no_value():
    (rmse, _) = make_metrics(TASKS, TRAIN, VALIDATION, sizes=SIZES)["rating"]
    assert rmse.compute(torch.tensor([5.0]), torch.tensor([1.0])) == 4.0
    assert rmse.compute(torch.tensor([2.0]), torch.tensor([1.0])) == 1.0
    assert math.isnan(rmse.compute(torch.tensor([2.0]), torch.tensor([math.nan])))
    absent = VALIDATION | {"rating": torch.full((2,), math.nan)}
    assert math.isnan(make_metrics(TASKS, TRAIN, absent, sizes=SIZES)["rating"][0].trivial)


def one_task(loss, name, train, validation, **size):
    tasks = eq.Tasks([eq.Task("a", loss)])
    (made,) = make_metrics(tasks, {"a": train}, {"a": validation}, {"a": [name]}, {"a": size})["a"]
    return made.trivial


def test_constants_of_every_reading():
    bits = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 0.0], [0.0, math.nan]])
    # label 0 is mostly there, label 1 mostly not: 2 of 4 right
    rows = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert one_task(nn.BCEWithLogitsLoss(), "accuracy", bits, rows, num_labels=2) == 0.5
    assert one_task(nn.BCEWithLogitsLoss(), "average-precision", bits, rows, num_labels=2) == 0.5
    assert one_task(
        nn.BCEWithLogitsLoss(), "calibration-error", torch.ones(4), torch.tensor([1.0, 0.0])
    ) == pytest.approx(0.5)
    levels, true = torch.tensor([0, 1, 1, 3]), torch.tensor([1, 1, 3])  # the median is 1
    for name in ("level-mae", "level-mae-cumulative", "level-mae-classes"):
        assert one_task(nn.CrossEntropyLoss(), name, levels, true) == pytest.approx(2 / 3)
    depths = torch.tensor([[2.0, 4.0, 0.0], [6.0, math.inf, math.nan]])  # 4 on average
    assert one_task(nn.L1Loss(), "depth-abs-rel", depths, torch.tensor([[5.0, 8.0, 0.0]])) == pytest.approx(0.35)
    normals = torch.tensor([[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])  # 45 degrees on average
    assert one_task(nn.L1Loss(), "normals-mean", normals, torch.eye(3)[:1]) == pytest.approx(45.0)
    dense = torch.tensor([[[0, 1], [1, -100]]])
    assert one_task(nn.CrossEntropyLoss(), "accuracy", dense, dense, num_classes=3) == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"ratings": ["mae"]}, "no task 'ratings'; did you mean 'rating'?"),
        ({"rating": ["rsme"]}, "task 'rating': no metric 'rsme'; did you mean 'rmse'?"),
        ({"group": [MulticlassConfusionMatrix(3)]}, "'MulticlassConfusionMatrix' does not say which values are better"),
        ({"rating": ["recall@1"]}, "metric 'recall@1' has no constant predictor here"),
    ],
)
def test_what_cannot_be_made_is_refused(chosen, message):
    with pytest.raises(ValueError, match=message):
        make_metrics(TASKS, TRAIN, VALIDATION, chosen, SIZES)


def test_of_an_unknown_loss_nothing_follows():
    tasks = eq.Tasks([eq.Task("a", nn.CosineEmbeddingLoss())])
    with pytest.raises(ValueError, match="task 'a': no metric follows from the loss"):
        make_metrics(tasks, {"a": RATINGS}, {"a": RATINGS})
