"""What a loss of the catalogue takes, the metrics that follow from it take too, missing labels included."""

import copy
import inspect
import math
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

import equipoise as eq
from equipoise import losses
from equipoise.lab.cases import make_metrics
from equipoise.lab.metrics import is_per_token, kind_of
from equipoise.losses.catalog import ROWS

N, LABELS, CLASSES = 12, 3, 4
SCOPE = {"nn": nn, "eq": eq, "torch": torch, "n": 20, "partial": partial}
SCOPE |= {"class_counts": torch.tensor([9, 5, 4, 2]), "label_counts": torch.tensor([5])}
WITHOUT = {  # losses of outputs that say nothing by themselves, or of several of them: a metric has to be named
    "SoftMarginLoss": "targets are -1 and 1",
    "LinearCrossEntropyLoss": "outputs are features",
    "AdaptiveLogSoftmaxWithLoss": "outputs are features",
    "MultiLabelMarginLoss": "targets are indices",
    "PoissonNLLLoss": "outputs are logarithms",
    "GaussianNLLLoss": "takes three tensors",
    "CTCLoss": "takes four tensors",
    "pinball": "outputs are quantiles",
    "gaussian_nll": "outputs are means and spreads",
    "laplace_nll": "outputs are means and spreads",
    "boundary": "targets are distances",
    "supervised_contrastive": "outputs are embeddings",
    "distillation_kl": "targets are the teacher's logits",
}
SUPERVISED = {"binary", "multiclass", "multilabel", "ordinal", "regression", "depth", "normals", "segmentation"}
SHAPES = {  # of targets beyond N
    "binary": [(), (1,), (LABELS,)],
    "multilabel": [(1,), (LABELS,)],
    "multiclass": [(), (5,), (2, 3)],
    "segmentation": [(), (2, 3)],
    "masks": [(1, 2, 3), (LABELS, 2, 3)],
    "regression": [(), (1,), (2,), (1, 2, 3)],
    "absolute regression": [(), (1,), (2,), (1, 2, 3)],
    "depth": [(2, 3), (1, 2, 3)],
    "normals": [(3, 2, 3)],
    "cumulative levels": [()],
    "conditional levels": [()],
}
ONE_PER_SAMPLE = (losses.LDAMLoss, nn.MultiMarginLoss)  # take no [N, C, ...]
FROM_PROBABILITIES = nn.BCELoss
rows = {row.name: row for row in ROWS if SUPERVISED & {*row.kinds} and row.name not in WITHOUT}
made = {name: eval(row.code, SCOPE) for name, row in rows.items()}
made["adaptive_robust_nll"] = losses.AdaptiveRobustNLLLoss()  # for any number of outputs
PAIRS = [
    pytest.param(loss, shape, id=f"{name}-{shape}")
    for name, loss in made.items()
    for shape in SHAPES.get(kind_of(loss), [])
    if not (shape and isinstance(loss, ONE_PER_SAMPLE))
]
TOKENS = [
    *(losses.PerToken(loss) for loss in made.values() if kind_of(loss) in ("multiclass", "segmentation")),
    losses.SequenceCrossEntropyLoss(),
]


def samples(loss, shape, seed=0):
    """Outputs and targets [N, *shape] as the loss takes them, each class and label there."""
    kind, generator = kind_of(loss), torch.Generator().manual_seed(seed)
    normal = partial(torch.randn, generator=generator)
    if kind in ("multiclass", "segmentation"):
        logits = normal(N, *shape, CLASSES) if is_per_token(loss) else normal(N, CLASSES, *shape)
        return logits, torch.arange(N * math.prod(shape)).view(N, *shape) % CLASSES
    if kind in ("cumulative levels", "conditional levels"):
        return normal(N, CLASSES - 1), torch.arange(N) % CLASSES
    if kind in ("binary", "multilabel", "masks"):
        outputs = normal(N, *shape)
        targets = (torch.arange(N).view(N, *(1 for _ in shape)) % 2).expand(N, *shape).float().clone()
        return outputs.sigmoid() if isinstance(getattr(loss, "loss", loss), FROM_PROBABILITIES) else outputs, targets
    if kind == "normals":
        return normal(N, *shape), functional.normalize(normal(N, *shape), dim=1)
    outputs, targets = normal(N, *shape), normal(N, *shape)
    return (outputs, targets) if kind != "depth" else (outputs.abs() + 0.1, targets.abs() + 0.1)


def values(task, targets, outputs, of):
    metrics = make_metrics(eq.Tasks([task]), {"a": targets}, {"a": targets})["a"]
    assert all(math.isfinite(metric.trivial) for metric in metrics)
    return {metric.name: metric.compute(outputs, of) for metric in metrics}


@pytest.mark.needs("every_loss")
def test_every_loss_of_outputs_and_targets_has_metrics_or_a_reason():
    assert {name for name, loss in made.items() if kind_of(loss) is None} == set()
    assert WITHOUT.keys() <= {row.name for row in ROWS}
    assert all(kind_of(eval(row.code, SCOPE)) is None for row in ROWS if row.name in WITHOUT)


@pytest.mark.parametrize(("loss", "shape"), PAIRS)
def test_metrics_take_what_the_loss_takes(loss, shape):
    """And a sample without a label changes nothing."""
    task, (outputs, targets) = eq.Task("a", loss), samples(loss, shape)
    tasks = eq.Tasks([task])
    assert tasks.losses({"a": outputs}, {"a": targets})["a"].isfinite()
    full = values(task, targets, outputs, targets)
    assert all(math.isfinite(value) for value in full.values())
    if not targets.is_floating_point() and task.ignored_class is None:
        return
    missing = targets.clone()
    missing[3] = torch.nan if targets.is_floating_point() else task.ignored_class
    kept = torch.arange(N) != 3
    assert tasks.losses({"a": outputs}, {"a": missing})["a"].isfinite()
    assert values(task, missing, outputs, missing) == pytest.approx(values(task, missing, outputs[kept], targets[kept]))


@pytest.mark.parametrize("loss", TOKENS, ids=lambda loss: type(getattr(loss, "loss", loss)).__name__)
def test_metrics_of_tokens_take_what_the_loss_takes(loss):
    """[B, T, V] and [B, T], also where T = V; what is padded changes nothing."""
    for length in (5, CLASSES):
        task, (outputs, targets) = eq.Task("a", loss), samples(loss, (length,))
        padded = targets.masked_fill(torch.arange(length) >= torch.arange(N).view(N, 1) % length + 1, -100)
        assert eq.Tasks([task]).losses({"a": outputs}, {"a": padded})["a"].isfinite()
        there = padded != -100
        plain = eq.Task("a", nn.CrossEntropyLoss())
        metrics = make_metrics(
            eq.Tasks([plain]), {"a": padded[there]}, {"a": padded[there]}, {"a": ["accuracy", "miou"]}
        )
        of_tokens = make_metrics(eq.Tasks([task]), {"a": padded}, {"a": padded}, {"a": ["accuracy", "miou"]})
        for one, other in zip(metrics["a"], of_tokens["a"], strict=True):
            assert one.trivial == pytest.approx(other.trivial)
            assert one.compute(outputs[there], padded[there]) == pytest.approx(other.compute(outputs, padded))
        assert all(math.isfinite(value) for value in values(task, padded, outputs, padded).values())


def elementwise(loss):
    """The loss as ``Masked`` takes it; None where it knows nothing of single labels."""
    if "mask" in inspect.signature(loss.forward).parameters:
        return loss
    alone = copy.deepcopy(loss)
    if isinstance(loss, nn.MultiLabelSoftMarginLoss) or not hasattr(loss, "reduction"):
        return None
    alone.reduction = "none"
    return alone


MASKED = [
    pytest.param(losses.Masked(alone, fill=1.0), id=name)
    for name, loss in made.items()
    if kind_of(loss) in ("binary", "regression", "absolute regression", "depth", "masks", "multilabel")
    if (alone := elementwise(loss)) is not None
]


@pytest.mark.parametrize("loss", MASKED)
def test_labels_that_are_missing_inside_a_sample(loss):
    """The loss leaves them out as ``Masked``, and the metrics do."""
    outputs, targets = samples(loss, (LABELS,) if kind_of(loss) == "multilabel" else (LABELS, 2, 3))
    hidden = torch.rand(targets.shape, generator=torch.Generator().manual_seed(1)) < 0.3
    task, partly = eq.Task("a", loss, missing="loss"), targets.masked_fill(hidden, torch.nan)
    assert eq.Tasks([task]).losses({"a": outputs}, {"a": partly})["a"].isfinite()
    found = values(task, partly, outputs, partly)
    assert all(math.isfinite(value) for value in found.values())
    assert values(task, partly, outputs.masked_fill(hidden, 7.0), partly) == pytest.approx(found)


def test_shares_of_classes_count_as_the_likeliest():
    shares = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6], [torch.nan] * 3])
    (accuracy, _) = make_metrics(eq.Tasks([eq.Task("a", nn.CrossEntropyLoss())]), {"a": shares}, {"a": shares})["a"]
    assert accuracy.trivial == 0.5
    assert accuracy.compute(torch.eye(3)[[0, 1, 1]], shares) == 0.5
    assert accuracy.compute(torch.eye(3)[[0, 2, 1]], shares) == 1.0


def test_one_label_is_binary_and_a_head_of_one_class_is_refused():
    one = torch.tensor([[1.0], [0.0], [1.0], [0.0]])
    for loss in (nn.BCEWithLogitsLoss(), losses.AsymmetricLoss()):
        metrics = make_metrics(eq.Tasks([eq.Task("a", loss)]), {"a": one}, {"a": one})["a"]
        assert [metric.name for metric in metrics] == ["auroc", "average-precision"]
        assert metrics[0].compute(one * 2 - 1, one) == 1.0
    classes = torch.tensor([0, 1, 0, 1])
    (accuracy, _) = make_metrics(eq.Tasks([eq.Task("a", nn.CrossEntropyLoss())]), {"a": classes}, {"a": classes})["a"]
    with pytest.raises(ValueError, match=r"must be classes 0 to 0, .* got 1: logits \(4, 1\) have 1 classes"):
        accuracy.compute(torch.zeros(4, 1), classes)
