"""The asymmetric loss equals its formula; soft F1 is F1 where predictions are certain."""

import math

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.focal import binary_focal
from equipoise.losses.multilabel import (
    AsymmetricLoss,
    DoubleSoftF1Loss,
    SoftF1Loss,
    asymmetric,
    double_soft_f1,
    soft_f1,
)

AVERAGES = ["macro", "micro", "samples"]


def labels(n, generator):
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, (n, 4), generator=generator).double()


def masked(n, generator):
    return *labels(n, generator), torch.rand(n, 4, generator=generator) < 0.6


def soft_f1_of_masked(logits, targets, mask, **keywords):
    return soft_f1(logits, targets, mask=mask, **keywords)


def double_soft_f1_of_masked(logits, targets, mask):
    return double_soft_f1(logits, targets, mask=mask)


CASES = [
    Case("asymmetric", asymmetric, labels),
    Case("asymmetric, both focused", asymmetric, labels, keywords={"gamma_pos": 1.0, "gamma_neg": 2.5, "clip": 0.2}),
    Case("asymmetric, unclipped", asymmetric, labels, keywords={"gamma_pos": 0.5, "gamma_neg": 0.5, "clip": 0.0}),
    *[
        Case(f"soft F1, {average}", soft_f1, labels, keywords={"average": average}, elementwise=False)
        for average in AVERAGES
    ],
    Case("soft F2", soft_f1, labels, keywords={"beta": 2.0}, elementwise=False),
    Case("soft F1, masked", soft_f1_of_masked, masked, elementwise=False),
    Case("soft F1, masked samples", soft_f1_of_masked, masked, keywords={"average": "samples"}, elementwise=False),
    Case("double soft F1", double_soft_f1, labels, elementwise=False),
    Case("double soft F1, masked", double_soft_f1_of_masked, masked, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


@pytest.mark.parametrize(("gamma_pos", "gamma_neg", "clip"), [(0.0, 4.0, 0.05), (1.0, 2.0, 0.3), (0.5, 0.5, 0.0)])
def test_asymmetric_is_its_formula(gamma_pos, gamma_neg, clip):
    logits, targets = labels(50, torch.Generator().manual_seed(1))
    p = logits.sigmoid()
    q = (p - clip).clamp(min=0)
    expected = torch.where(targets == 1, -((1 - p) ** gamma_pos) * p.log(), -(q**gamma_neg) * (1 - q).log())
    keywords = {"gamma_pos": gamma_pos, "gamma_neg": gamma_neg, "clip": clip, "reduction": "none"}
    assert_close(asymmetric(logits, targets, **keywords), expected)
    third = torch.full_like(targets, 1 / 3)
    ones, zeros = torch.ones_like(targets), torch.zeros_like(targets)
    expected = (asymmetric(logits, ones, **keywords) + 2 * asymmetric(logits, zeros, **keywords)) / 3
    assert_close(asymmetric(logits, third, **keywords), expected)


def test_asymmetric_without_its_asymmetry_is_another_loss():
    logits, targets = labels(50, torch.Generator().manual_seed(2))
    even = {"gamma_pos": 2.0, "gamma_neg": 2.0, "clip": 0.0}
    assert_close(asymmetric(logits, targets, **even), binary_focal(logits, targets, gamma=2.0))
    plain = {"gamma_pos": 0.0, "gamma_neg": 0.0, "clip": 0.0}
    assert_close(asymmetric(logits, targets, **plain), F.binary_cross_entropy_with_logits(logits, targets))


def test_a_clipped_negative_does_not_count():
    """p = 1/4 lies below the clip, 3/4 above: q = 0.75 - 0.3 and the loss -0.45^2 log 0.55 = 0.1211."""
    logits = torch.tensor([1 / 3, 3.0]).log().requires_grad_()
    losses = asymmetric(logits, torch.zeros(2), gamma_neg=2.0, clip=0.3, reduction="none")
    assert_close(losses, torch.tensor([0.0, 0.1211]), rtol=0, atol=1e-4)
    (slope,) = torch.autograd.grad(losses.sum(), logits)
    assert slope[0] == 0
    assert slope[1] > 0


@pytest.mark.parametrize("clip", [0.0, 1e-10, 0.05, 1.0])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 4.0])
def test_certainty_has_a_finite_gradient(gamma, clip):
    """Certain and right costs nothing; certain and wrong costs its cross-entropy, of the clipped probability."""
    targets = torch.tensor([1.0, 0.0, 1.0, 0.0])
    logits = torch.tensor([500.0, -500.0, -500.0, 500.0], requires_grad=True)
    losses = asymmetric(logits, targets, gamma_pos=gamma, gamma_neg=gamma, clip=clip, reduction="none")
    (slope,) = torch.autograd.grad(losses.sum(), logits)
    assert slope.isfinite().all()
    wrong = (1 - clip) ** gamma * -math.log(clip) if clip > 0 else 500.0
    assert_close(losses, torch.tensor([0.0, 0.0, 500.0, wrong]), rtol=1e-5, atol=1e-6)


def test_soft_f1_by_hand():
    # label 0: p = 1/2, 1/4, t = 1, 0: 2 · 1/2 / (1 + 3/4) = 4/7; label 1: p = 3/4, 1/2, t = 1, 1: 2 · 5/4 / (2 + 5/4)
    logits = torch.tensor([[1.0, 3.0], [1 / 3, 1.0]]).log()
    targets = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
    assert_close(soft_f1(logits, targets), 1 - torch.tensor((4 / 7 + 10 / 13) / 2))
    # together: 2 · 7/4 / (3 + 2) = 7/10; by sample: 2 · 5/4 / (2 + 5/4) = 10/13 and 2 · 1/2 / (1 + 3/4) = 4/7
    assert_close(soft_f1(logits, targets, average="micro"), torch.tensor(1 - 7 / 10))
    assert_close(soft_f1(logits, targets, average="samples"), 1 - torch.tensor((10 / 13 + 4 / 7) / 2))
    # F2 of label 0: 5 · 1/2 / (4 · 1 + 3/4) = 10/19, of label 1: 5 · 5/4 / (4 · 2 + 5/4) = 25/37
    assert_close(soft_f1(logits, targets, beta=2.0), 1 - torch.tensor((10 / 19 + 25 / 37) / 2))


@pytest.mark.parametrize("average", AVERAGES)
def test_perfect_costs_nothing_and_all_wrong_costs_1(average):
    targets = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    for sign, expected in ((1.0, 0.0), (-1.0, 1.0)):
        logits = ((2 * targets - 1) * sign * 500).requires_grad_()
        for loss in (soft_f1(logits, targets, average=average), double_soft_f1(logits, targets)):
            assert_close(loss.item(), expected)
            assert torch.autograd.grad(loss, logits)[0].isfinite().all()


@pytest.mark.parametrize("level", [-500.0, -100.0, 0.0, 500.0])
def test_a_label_without_positives_costs_1_and_has_no_gradient(level):
    """At -100 the probabilities are so small that their inverse would overflow."""
    logits = torch.full((3, 2), level, requires_grad=True)
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    loss = soft_f1(logits, targets)
    (slope,) = torch.autograd.grad(loss, logits)
    assert slope.isfinite().all()
    assert not slope[:, 1].any()
    assert_close(loss, (soft_f1(logits[:, :1], targets[:, :1]) + 1) / 2)
    assert soft_f1(logits, torch.zeros(3, 2), average="micro") == 1


def test_the_negatives_half_sees_false_alarms_of_an_absent_label():
    logits = torch.zeros(4, 1, requires_grad=True)
    (slope,) = torch.autograd.grad(double_soft_f1(logits, torch.zeros(4, 1)), logits)
    assert (slope > 0).all()


def test_double_soft_f1_is_the_mean_over_both_labels():
    """The negatives' F1 is that of the opposite labels and logits."""
    logits, targets = labels(30, torch.Generator().manual_seed(3))
    assert_close(double_soft_f1(logits, targets), (soft_f1(logits, targets) + soft_f1(-logits, 1 - targets)) / 2)
    assert_close(double_soft_f1(logits, targets), double_soft_f1(-logits, 1 - targets))


@pytest.mark.parametrize("average", AVERAGES)
def test_what_is_masked_is_as_if_removed(average):
    """Whole samples, whole labels, and single targets in the counts of their label."""
    logits, targets = labels(20, torch.Generator().manual_seed(4))
    mask = torch.ones(20, 4, dtype=torch.bool)
    mask[:7], mask[:, 3] = False, False
    hidden = targets.masked_fill(~mask, torch.nan)
    kept = logits[7:, :3], targets[7:, :3]
    assert_close(soft_f1(logits, hidden, average=average, mask=mask), soft_f1(*kept, average=average))
    assert_close(double_soft_f1(logits, hidden, mask=mask), double_soft_f1(*kept))
    mask = torch.rand(20, 4, generator=torch.Generator().manual_seed(5)) < 0.5
    by_label = [(logits[mask[:, k], k, None], targets[mask[:, k], k, None]) for k in range(4)]
    assert_close(soft_f1(logits, targets, mask=mask), sum(soft_f1(*label) for label in by_label) / 4)
    assert_close(double_soft_f1(logits, targets, mask=mask), sum(double_soft_f1(*label) for label in by_label) / 4)


@pytest.mark.parametrize("average", AVERAGES)
def test_all_masked_is_0_without_a_gradient(average):
    logits, targets = labels(5, torch.Generator().manual_seed(6))
    logits.requires_grad_()
    mask = torch.zeros(5, 4, dtype=torch.bool)
    for loss in (soft_f1(logits, targets, average=average, mask=mask), double_soft_f1(logits, targets, mask=mask)):
        assert loss == 0
        assert not torch.autograd.grad(loss, logits)[0].any()


def test_modules_are_their_functions():
    logits, targets, mask = masked(9, torch.Generator().manual_seed(7))
    keywords = {"gamma_pos": 1.0, "gamma_neg": 3.0, "clip": 0.1, "reduction": "sum"}
    assert_close(AsymmetricLoss(**keywords)(logits, targets), asymmetric(logits, targets, **keywords))
    module = SoftF1Loss(beta=2.0, average="samples")
    assert_close(module(logits, targets, mask), soft_f1(logits, targets, beta=2.0, average="samples", mask=mask))
    assert repr(module) == "SoftF1Loss(beta=2.0, average='samples')"
    assert_close(DoubleSoftF1Loss()(logits, targets, mask), double_soft_f1(logits, targets, mask=mask))


def test_labels_of_another_precision_are_labels():
    logits, targets = torch.randn(5, 3), torch.randint(2, (5, 3))
    assert_close(asymmetric(logits, targets.double()), asymmetric(logits, targets.float()))


LOGITS, TARGETS = torch.randn(4, 3), torch.ones(4, 3)
MISUSES = [
    (lambda: asymmetric(LOGITS, TARGETS[..., None]), r"logits and targets must have the same shape.*squeeze"),
    (lambda: asymmetric(LOGITS, TARGETS.long()), r"targets must be floating point.*\.float"),
    (lambda: asymmetric(LOGITS, TARGETS + 1), r"targets must lie in \[0, 1\], got 2: give labels"),
    (lambda: asymmetric(LOGITS, TARGETS, gamma_neg=-1.0), r"gamma_neg must lie in \[0, inf\), got -1.0"),
    (lambda: asymmetric(LOGITS, TARGETS, clip=5.0), r"clip must lie in \[0, 1\], got 5.0"),
    (lambda: asymmetric(LOGITS, TARGETS, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: AsymmetricLoss(gamma_pos=-1.0), r"gamma_pos must lie in \[0, inf\), got -1.0"),
    (lambda: AsymmetricLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: soft_f1(LOGITS[:, 0], TARGETS[:, 0]), r"logits must have shape \[N, L\], got \(4,\)"),
    (lambda: soft_f1(LOGITS, TARGETS[:, 0]), r"logits and targets must have the same shape"),
    (lambda: soft_f1(LOGITS, TARGETS * torch.nan), r"targets must lie in \[0, 1\], got nan"),
    (lambda: soft_f1(LOGITS, TARGETS, average="weighted"), r"average must be 'macro', .*got 'weighted'"),
    (lambda: soft_f1(LOGITS, TARGETS, beta=0.0), r"beta must lie in \(0, inf\), got 0.0"),
    (lambda: soft_f1(LOGITS, TARGETS, mask=TARGETS), r"mask must be boolean.*got torch.float32.*\.bool"),
    (lambda: double_soft_f1(LOGITS, TARGETS, mask=TARGETS[:1].bool()), r"mask and logits must have the same shape"),
    (lambda: SoftF1Loss(beta=-1.0), r"beta must lie in \(0, inf\), got -1.0"),
    (lambda: SoftF1Loss(average="none"), r"average must be .*got 'none'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
