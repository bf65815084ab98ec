import math

import pytest
import torch
from torch.testing import assert_close
from torchmetrics.classification import BinaryAccuracy, BinaryAUROC
from torchmetrics.regression import MeanSquaredError, R2Score

from equipoise.lab.metrics import Labelled, metric, per_token
from equipoise.lab.metrics import labelled as read

NAN = math.nan


def value(made, *batches):
    for batch in batches:
        made.update(*batch)
    return made.compute().item()


def batch_of(name, n=24):
    """Outputs, targets, and a function that makes the labels of the given samples missing."""
    draw = torch.Generator().manual_seed(0)
    if name in ("rmse", "r2", "mae"):
        return torch.randn(n, generator=draw), torch.randn(n, generator=draw), NAN
    if name in ("auroc", "f1"):
        return torch.randn(n, generator=draw), (torch.rand(n, generator=draw) < 0.5).float(), NAN
    return torch.randn(n, 3, 4, 5, generator=draw), torch.randint(3, (n, 4, 5), generator=draw), -100


NAMES = [("rmse", {}), ("r2", {}), ("mae", {}), ("auroc", {}), ("f1", {}), ("f1-macro", {"num_classes": 3})]
NAMES += [("miou", {"num_classes": 3}), ("auroc", {"num_classes": 3}), ("calibration-error", {"num_classes": 3})]


@pytest.mark.parametrize(("name", "options"), NAMES)
def test_missing_labels_count_as_if_they_were_not_there(name, options):
    outputs, targets, missing = batch_of("dense" if options else name)
    removed = value(metric(name, **options), (outputs[:15], targets[:15]))
    broken = targets.clone()
    broken[15:] = missing
    assert value(metric(name, **options), (outputs, broken)) == pytest.approx(removed, rel=1e-6)
    masked = (torch.arange(24) < 15).reshape(-1, *[1] * (targets.dim() - 1))
    assert value(metric(name, **options), (outputs, targets, masked)) == pytest.approx(removed, rel=1e-6)
    assert value(metric(name, **options), (outputs, targets)) != pytest.approx(removed, rel=1e-6)


@pytest.mark.parametrize(("name", "options"), NAMES)
def test_unequal_batches_are_one_pass_and_absence_is_normal(name, options):
    outputs, targets, missing = batch_of("dense" if options else name)
    whole = value(metric(name, **options), (outputs, targets))
    absent = torch.full_like(targets[:2], missing)
    batches = [(outputs[:5], None), (outputs[:5], targets[:5]), (outputs[:2], absent), (outputs[5:], targets[5:])]
    assert value(metric(name, **options), *batches) == pytest.approx(whole, rel=1e-5)
    assert math.isnan(value(metric(name, **options), (outputs[:2], absent), (outputs, None)))


def test_missing_pixels_leave_one_by_one():
    outputs, targets, _ = batch_of("dense")
    holes = torch.rand(24, 4, 5, generator=torch.Generator().manual_seed(1)) < 0.3
    removed = value(metric("accuracy", num_classes=3), (outputs.movedim(1, -1)[~holes], targets[~holes]))
    assert value(metric("accuracy", num_classes=3), (outputs, targets.masked_fill(holes, -100))) == removed
    other = metric("accuracy", num_classes=3, missing=255)
    assert value(other, (outputs, targets.masked_fill(holes, 255))) == removed


def test_missing_labels_among_several_leave_one_by_one():
    # label 0: sure and right twice; label 1: the missing one would be wrong
    made = metric("accuracy", num_labels=2)
    outputs = torch.tensor([[5.0, 5.0], [-5.0, -5.0], [3.0, 3.0]])
    targets = torch.tensor([[1.0, NAN], [0.0, 1.0], [NAN, NAN]])
    assert value(made, (outputs, targets)) == pytest.approx(2 / 3)


def test_logits_are_logits_in_every_batch():
    # torchmetrics alone would take the first batch, all within [0, 1], for probabilities
    outputs, targets = torch.tensor([0.1, 0.3, -2.0, 5.0]), torch.tensor([1.0, 1.0, 0.0, 1.0])
    assert value(metric("accuracy"), (outputs[:2], targets[:2]), (outputs[2:], targets[2:])) == 1.0
    alone = BinaryAccuracy()
    for part in (slice(2), slice(2, None)):
        alone.update(outputs[part], targets[part].long())
    assert alone.compute() == 0.5
    probabilities = read.class_probabilities(torch.tensor([[0.25, 0.75]]), torch.tensor([0]))[0]
    assert_close(probabilities, torch.tensor([[0.25, 0.75]]).double().softmax(1))


def test_large_logits_are_not_tied():
    outputs, targets = torch.tensor([3000.0, 0.0, 2000.0, 1000.0]), torch.tensor([1, 0, 0, 1])
    assert value(metric("auroc"), (outputs, targets)) == pytest.approx(3 / 4)
    both = metric("auroc", num_labels=2)
    assert value(both, (outputs[:, None].expand(4, 2), targets[:, None].expand(4, 2))) == pytest.approx(3 / 4)
    order = read.ranking(torch.linspace(-1e7, 1e7, 999), torch.ones(999))[0]
    assert (order.diff() > 0).all()


def test_a_torchmetrics_metric_of_your_own():
    made = Labelled(BinaryAUROC(), read.ranking, "mine")
    assert value(made, (torch.tensor([1.0, -1.0, 7.0]), torch.tensor([1.0, 0.0, NAN]))) == 1.0
    assert (made.higher_is_better, made.perfect) == (True, 1.0)
    worse = Labelled(MeanSquaredError(), read.values, "mse")
    assert (worse.higher_is_better, worse.perfect) == (False, 0.0)
    assert Labelled(R2Score(), read.values, "r2").perfect == 1.0


def test_forward_is_the_value_of_the_batch():
    made = metric("mse")
    assert made(torch.tensor([1.0, 2.0]), torch.tensor([0.0, NAN])).item() == 1.0
    assert made(torch.tensor([3.0]), torch.tensor([0.0])).item() == 9.0
    assert math.isnan(made(torch.tensor([3.0]), None).item())
    assert made.compute().item() == 5.0


def test_reset_forgets_that_there_were_labels():
    made = metric("accuracy")  # torchmetrics has 0 for none
    assert value(made, (torch.ones(2), torch.ones(2))) == 1.0
    made.reset()
    assert math.isnan(value(made, (torch.ones(1), torch.full((1,), NAN))))


def test_texts_without_reference_leave():
    made = metric("bleu")
    texts = ["the cat is on the mat", "a dog"]
    made.update(texts, [["there is a cat on the mat", "a cat is on the mat"], None])
    assert made.compute().item() == pytest.approx(0.7598, abs=1e-4)  # torchmetrics' own example
    with pytest.raises(ValueError, match="equally many texts, got 2 and 1"):
        made.update(texts, ["one"])


@pytest.mark.parametrize(
    ("name", "options", "outputs", "targets", "message"),
    [
        ("rmse", {}, (4, 1), (4,), r"outputs and targets must have the same shape, got \(4, 1\) and \(4,\)"),
        ("auroc", {}, (4, 1), (4,), r"must have the same shape, got \(4, 1\) and \(4,\)"),
        ("accuracy", {"num_classes": 3}, (4, 3), (4, 1), r"targets must be classes \[N, ...\] beside logits"),
        ("accuracy", {"num_labels": 3}, (4,), (4,), r"targets must be \[N, L, ...\] for L labels, got \(4,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(name, options, outputs, targets, message):
    with pytest.raises(ValueError, match=message):
        metric(name, **options).update(torch.zeros(outputs), torch.zeros(targets))


@pytest.mark.parametrize(
    ("made", "outputs", "targets", "message"),
    [
        (metric("accuracy"), (4, 3), (4,), r"logits of 3 classes: make the metric with num_classes=3"),
        (metric("accuracy"), (4, 1), (4,), r"must have the same shape, .*: write outputs.squeeze\(-1\)"),
        (metric("auroc"), (4, 3, 2), (4, 2), r"logits of 3 classes: make the metric with num_classes=3"),
        (metric("f1-macro", num_labels=3), (4, 3), (4,), r"logits of 3 classes: make the metric with num_classes=3"),
        (
            metric("accuracy", num_classes=3),
            (4, 5, 3),
            (4, 5),
            r"where the classes come last, write per_token\(metric\)",
        ),
        (per_token(metric("accuracy", num_classes=3)), (4, 3, 5), (4, 5), r"\[B, T, ...\] must have the same B and T"),
    ],
)
def test_outputs_of_another_layout_are_answered_by_what_to_write(made, outputs, targets, message):
    with pytest.raises(ValueError, match=message):
        made.update(torch.zeros(outputs), torch.zeros(targets, dtype=torch.int64))
