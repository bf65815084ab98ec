"""Focal loss equals its formula, and cross-entropy at gamma 0."""

import pytest
import torch
from laws import Case, laws_for
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise import losses


def binary(n, generator):
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, (n, 4), generator=generator).double()


def classes(n, generator):
    logits = 3 * torch.randn(n, 5, 3, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (n, 3), generator=generator)


CASES = [
    Case("binary focal", losses.binary_focal, binary),
    Case("binary focal, alpha", losses.binary_focal, binary, keywords={"alpha": 0.25, "gamma": 1.5}),
    Case("focal", losses.focal, classes),
    Case("focal, weights", losses.focal, classes, keywords={"weight": torch.arange(1.0, 6.0)}, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


def test_binary_focal_is_its_formula():
    logits, targets = binary(50, torch.Generator().manual_seed(1))
    hit = torch.where(targets == 1, logits.sigmoid(), 1 - logits.sigmoid())
    alpha = torch.where(targets == 1, 0.25, 0.75)
    expected = -alpha * (1 - hit) ** 2 * hit.log()
    assert_close(losses.binary_focal(logits, targets, alpha=0.25, reduction="none"), expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_focal_over_two_classes_is_the_binary_one(gamma):
    """Logits of two classes are one logit: their difference."""
    logits = torch.randn(40, 2, dtype=torch.float64)
    targets = torch.randint(2, (40,))
    difference = logits[:, 1] - logits[:, 0]
    expected = losses.binary_focal(difference, targets.double(), gamma=gamma)
    assert_close(losses.focal(logits, targets, gamma=gamma), expected)


def test_gamma_0_is_cross_entropy():
    logits, targets = classes(20, torch.Generator().manual_seed(2))
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0, 1.0], dtype=torch.float64)
    targets[0] = -100
    for reduction in ("none", "mean", "sum"):
        expected = F.cross_entropy(logits, targets, weight=weight, reduction=reduction)
        assert_close(losses.focal(logits, targets, gamma=0.0, weight=weight, reduction=reduction), expected)
    logits, targets = binary(20, torch.Generator().manual_seed(2))
    expected = F.binary_cross_entropy_with_logits(logits, targets)
    assert_close(losses.binary_focal(logits, targets, gamma=0.0), expected)


def test_what_is_ignored_is_as_if_removed():
    logits, targets = classes(20, torch.Generator().manual_seed(3))
    ignored = targets.clone()
    ignored[:7] = -100
    assert_close(losses.focal(logits, ignored), losses.focal(logits[7:], targets[7:]))
    assert losses.focal(logits, torch.full_like(targets, -100)) == 0


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_certainty_has_a_finite_gradient(gamma):
    """At p_t = 1 the loss is 0, and so is its slope; at p_t = 0 it is the cross-entropy."""
    for sign, expected in ((1.0, 0.0), (-1.0, 200.0)):
        logits = torch.tensor([200.0 * sign], requires_grad=True)
        loss = losses.binary_focal(logits, torch.ones(1), gamma=gamma)
        (slope,) = torch.autograd.grad(loss, logits)
        assert_close(loss.item(), expected)
        assert slope.isfinite().all()
        two = torch.tensor([[0.0, 200.0 * sign]], requires_grad=True)
        loss = losses.focal(two, torch.tensor([1]), gamma=gamma)
        (slope,) = torch.autograd.grad(loss, two)
        assert_close(loss.item(), expected)
        assert slope.isfinite().all()


def test_modules_are_their_functions():
    logits, targets = binary(9, torch.Generator().manual_seed(4))
    module = losses.BinaryFocalLoss(gamma=1.0, alpha=0.3, reduction="sum")
    assert_close(module(logits, targets), losses.binary_focal(logits, targets, gamma=1.0, alpha=0.3, reduction="sum"))
    assert repr(module) == "BinaryFocalLoss(gamma=1.0, alpha=0.3, reduction='sum')"
    logits, targets = classes(9, torch.Generator().manual_seed(4))
    weight = torch.ones(5).double()
    module = losses.FocalLoss(gamma=1.0, weight=weight, ignore_index=2)
    assert_close(module(logits, targets), losses.focal(logits, targets, gamma=1.0, weight=weight, ignore_index=2))
    assert isinstance(module, nn.Module)


def test_only_what_is_certain_is_taken_for_probabilities():
    for logits in (torch.full((4, 2), 0.5), torch.eye(4), torch.tensor([[0.25, 0.75]])):
        assert losses.focal(logits, torch.zeros(len(logits), dtype=torch.long)).isfinite()


LOGITS, LABELS = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
MISUSES = [
    (lambda: losses.binary_focal(torch.randn(4), torch.ones(4, 1)), r"logits and targets must have the same shape"),
    (lambda: losses.binary_focal(torch.randn(4), torch.ones(4).long()), r"targets must be floating point.*\.float"),
    (lambda: losses.binary_focal(torch.ones(4), torch.randn(4) + 3), r"targets must lie in \[0, 1\], got"),
    (lambda: losses.binary_focal(torch.randn(4), torch.ones(4), gamma=-1.0), r"gamma must lie in \[0, inf\), got -1.0"),
    (lambda: losses.binary_focal(torch.randn(4), torch.ones(4), alpha=2.0), r"alpha must lie in \[0, 1\], got 2.0"),
    (lambda: losses.binary_focal(torch.randn(4), torch.ones(4), reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: losses.BinaryFocalLoss(gamma=-1.0), r"gamma must lie in \[0, inf\), got -1.0"),
    (lambda: losses.FocalLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: losses.focal(LOGITS.softmax(dim=1), LABELS), r"logits are probabilities"),
    (lambda: losses.focal(LABELS, LOGITS), r"logits must be floating point"),
    (lambda: losses.focal(LOGITS, LABELS[:, None]), r"targets must have shape \[N, ...\] = \(4,\)"),
    (lambda: losses.focal(LOGITS, LABELS + 1), r"targets must be classes 0 to 2, got 3"),
    (lambda: losses.focal(LOGITS, LABELS.float()), r"targets must be class indices.*\.long"),
    (
        lambda: losses.focal(LOGITS, LABELS.to(torch.uint8)),
        r"must be class indices in int64, got torch.uint8.*\.long",
    ),
    (lambda: losses.focal(LOGITS, torch.eye(3)[LABELS]), r"targets must be class indices.*argmax"),
    (lambda: losses.focal(LOGITS, torch.eye(3)[LABELS].long()), r"got one per logit, \(4, 3\): write targets.argmax"),
    (lambda: losses.focal(LOGITS, LABELS, weight=torch.ones(2, 1)), r"weight must have shape \[C\] = \(3,\), got"),
    (lambda: losses.focal(LOGITS, LABELS, weight=-torch.ones(3)), r"weight must lie in \[0, inf\], got -1"),
    (lambda: losses.focal(LOGITS, LABELS, gamma=float("inf")), r"gamma must lie in \[0, inf\), got inf"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
