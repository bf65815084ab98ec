"""Masked equals the removal of what is missing, value and gradient."""

import math
from functools import partial

import pytest
import torch
from laws import Case, laws_for
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses import BerHuLoss, SoftF1Loss, binary_focal
from equipoise.losses.masked import Masked

BCE = nn.BCEWithLogitsLoss(reduction="none")


def assays(n, generator):
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    targets = torch.randint(2, (n, 4), generator=generator).double()
    return logits, targets.masked_fill(torch.rand(n, 4, generator=generator) < 0.3, torch.nan)


def pixels(n, generator):
    logits = 3 * torch.randn(n, 5, 3, generator=generator, dtype=torch.float64)
    targets = torch.randint(5, (n, 3), generator=generator)
    return logits, targets.masked_fill(torch.rand(n, 3, generator=generator) < 0.3, -100)


def masked_assays(n, generator):
    logits, targets = assays(n, generator)
    return logits, targets, torch.rand(n, 4, generator=generator) < 0.5


def without_nan(n, generator):
    logits, targets, mask = masked_assays(n, generator)
    return logits, targets.nan_to_num(1.0), mask


def with_nan(logits, targets, mask):
    return Masked(BCE)(logits, targets.masked_fill(~mask, torch.nan))


CASES = [
    Case("masked, NaN", with_nan, without_nan, elementwise=False),
    Case("masked, mask", Masked(nn.MSELoss(reduction="none")), without_nan, elementwise=False),
    Case("masked, classes", Masked(nn.CrossEntropyLoss(reduction="none")), pixels, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)

SMOOTH = [
    BCE,
    nn.MSELoss(reduction="none"),
    nn.HuberLoss(reduction="none"),
    partial(binary_focal, reduction="none"),
    lambda output, target: (output - target).abs() / (1 + target),
]


@pytest.mark.parametrize("loss", SMOOTH)
def test_it_is_removal_value_and_gradient(loss):
    output, target = assays(20, torch.Generator().manual_seed(1))
    output.requires_grad_()
    there = ~target.isnan()
    expected = loss(output[there], target[there]).mean()
    value = Masked(loss)(output, target)
    assert_close(value, expected)
    (slope,), (by_removal,) = torch.autograd.grad(value, output), torch.autograd.grad(expected, output)
    assert_close(slope, by_removal)
    assert (slope[~there] == 0).all()


def test_an_explicit_mask_is_removal_too():
    output, target, mask = masked_assays(20, torch.Generator().manual_seed(2))
    there = mask & ~target.isnan()
    assert 0 < there.sum() < mask.sum()
    assert_close(Masked(BCE)(output, target, mask), BCE(output[there], target[there]).mean())
    target = target.nan_to_num(0.5)
    assert_close(Masked(BCE)(output, target, mask), BCE(output[mask], target[mask]).mean())


def test_classes_that_are_ignored_or_masked():
    logits, targets = pixels(20, torch.Generator().manual_seed(3))
    loss = Masked(nn.CrossEntropyLoss(reduction="none"))
    assert_close(loss(logits, targets), F.cross_entropy(logits, targets))
    mask = torch.rand(targets.shape, generator=torch.Generator().manual_seed(4)) < 0.5
    hidden = targets.masked_fill(~mask, 77)  # what is masked may hold anything
    assert_close(loss(logits, hidden, mask), F.cross_entropy(logits, targets.masked_fill(~mask, -100)))
    void = Masked(nn.CrossEntropyLoss(ignore_index=255, reduction="none"))
    assert void.ignore_index == 255
    assert_close(void(logits, targets.where(targets != -100, 255)), F.cross_entropy(logits, targets))


def test_weights_scale_values_and_not_what_they_are_divided_by():
    logits, targets = pixels(20, torch.Generator().manual_seed(5))
    weight = torch.arange(1.0, 6.0, dtype=torch.float64)
    values = F.cross_entropy(logits, targets, weight=weight, reduction="none")
    expected = values.sum() / (targets != -100).sum()
    assert_close(Masked(nn.CrossEntropyLoss(weight=weight, reduction="none"))(logits, targets), expected)
    logits, targets = assays(20, torch.Generator().manual_seed(5))
    weight, there = torch.arange(1.0, 5.0, dtype=torch.float64), ~targets.isnan()
    loss = nn.BCEWithLogitsLoss(pos_weight=weight, reduction="none")
    expected = loss(logits, targets.nan_to_num())[there].mean()
    assert_close(Masked(loss)(logits, targets), expected)


@pytest.mark.parametrize("value", [1e15, -1e15])
@pytest.mark.parametrize("loss", [*SMOOTH[:4], nn.SmoothL1Loss(reduction="none")])
def test_nothing_at_a_missing_label_reaches_the_gradient(loss, value):
    output = torch.tensor([[0.3, value], [value, -2.0]], requires_grad=True)
    target = torch.tensor([[1.0, torch.nan], [torch.nan, 0.0]])
    plain = torch.tensor([0.3, -2.0], requires_grad=True)
    expected = loss(plain, torch.tensor([1.0, 0.0])).mean()
    actual = Masked(loss)(output, target)
    (slope,), (by_removal,) = torch.autograd.grad(actual, output), torch.autograd.grad(expected, plain)
    assert_close(actual, expected)
    assert_close(slope, torch.diag(by_removal))


def test_fill_is_where_the_loss_is_finite():
    def relative(output, target):
        return (output - target).abs() / target

    output = torch.tensor([[1.0, 5.0]], requires_grad=True)
    target = torch.tensor([[2.0, torch.nan]])
    value = Masked(relative, fill=1.0)(output, target)
    assert value == 0.5
    assert torch.equal(torch.autograd.grad(value, output)[0], torch.tensor([[-0.5, 0.0]]))


def test_a_target_that_is_infinite_is_there():
    assert Masked(nn.L1Loss(reduction="none"))(torch.ones(2), torch.tensor([math.inf, math.nan])) == math.inf


def test_where_all_is_missing_it_is_0_with_a_gradient_of_0():
    output = torch.randn(3, 2, requires_grad=True)
    value = Masked(BCE)(output, torch.full((3, 2), torch.nan))
    assert value == 0
    assert torch.equal(torch.autograd.grad(value, output)[0], torch.zeros(3, 2))
    logits = torch.randn(3, 5, 2, requires_grad=True)
    value = Masked(nn.CrossEntropyLoss(reduction="none"))(logits, torch.full((3, 2), -100))
    assert value == 0
    assert torch.equal(torch.autograd.grad(value, logits)[0], torch.zeros(3, 5, 2))
    assert Masked(BCE)(torch.randn(0, 2), torch.randn(0, 2)) == 0


def test_in_a_task():
    tasks = eq.Tasks([eq.Task("assays", Masked(BCE), missing="loss")])
    output, target = assays(6, torch.Generator().manual_seed(6))
    losses = tasks.losses({"assays": output}, {"assays": target})
    there = ~target.isnan()
    assert losses.counts == {"assays": int(there.sum())}
    assert_close(losses["assays"], BCE(output[there], target[there]).mean())
    assert dict(tasks.losses({"assays": output}, {"assays": torch.full_like(target, torch.nan)})) == {}
    labels = eq.Tasks([eq.Task("pixels", Masked(nn.CrossEntropyLoss(reduction="none")), missing="loss")])
    logits, classes = pixels(6, torch.Generator().manual_seed(6))
    assert labels.losses({"pixels": logits}, {"pixels": classes}).counts == {"pixels": int((classes >= 0).sum())}


def test_outputs_that_are_no_tensor_are_passed_on():
    def gaussian(output, target):
        mean, log_variance = output
        return F.gaussian_nll_loss(mean, target, log_variance.exp(), reduction="none")

    mean, log_variance = torch.randn(2, 5, 3, requires_grad=True).unbind()
    target = torch.randn(5, 3).masked_fill(torch.rand(5, 3) < 0.5, torch.nan)
    there = ~target.isnan()
    value = Masked(gaussian)((mean, log_variance), target)
    assert_close(value, gaussian((mean[there], log_variance[there]), target[there]).mean())
    assert torch.autograd.grad(value, mean)[0].isfinite().all()


def test_it_shows_its_arguments():
    assert repr(Masked(BCE)) == "Masked(\n  fill=0.0, ignore_index=None\n  (loss): BCEWithLogitsLoss()\n)"


def test_a_loss_that_takes_a_mask_is_given_it():
    logits, targets = assays(20, torch.Generator().manual_seed(5))
    expected = SoftF1Loss()(logits, targets.nan_to_num(), mask=~targets.isnan())
    assert_close(Masked(SoftF1Loss())(logits, targets), expected)
    depths = torch.tensor([1.0, 2.0, 100.0])
    reading = torch.tensor([1.5, 3.0, torch.nan])
    assert_close(Masked(BerHuLoss())(depths, reading), BerHuLoss()(depths[:2], reading[:2]))
    with pytest.raises(ValueError, match=r"takes a mask itself and must reduce.*leave out reduction='none'"):
        Masked(BerHuLoss(reduction="none"))


def test_what_the_network_says_where_no_label_is_does_not_count():
    outputs = torch.tensor([1.0, 1e30], requires_grad=True)
    loss = Masked(nn.MSELoss(reduction="none"))(outputs, torch.tensor([1.5, torch.nan]))
    assert_close(loss, torch.tensor(0.25))
    assert torch.autograd.grad(loss, outputs)[0].tolist() == [-1.0, 0.0]


ONES = torch.ones(3, 2)
MISUSES = [
    (lambda: Masked(nn.BCEWithLogitsLoss()), r"got reduction='mean': write BCEWithLogitsLoss\(reduction='none'\)"),
    (lambda: Masked(nn.MSELoss(reduction="sum")), r"got reduction='sum': write MSELoss\(reduction='none'\)"),
    (lambda: Masked(nn.MSELoss), r"loss is a class: write MSELoss\(...\)"),
    (lambda: Masked("mse"), r"loss must be callable, got 'mse'"),
    (lambda: Masked(BCE, fill=math.nan), r"fill must be a finite number, got nan"),
    (lambda: Masked(F.mse_loss)(ONES, ONES), r"target's shape \(3, 2\), got shape \(\): give it reduction='none'"),
    (lambda: Masked(lambda o, t: 0.0)(ONES, ONES), r"target's shape \(3, 2\), got float"),
    (lambda: Masked(BCE)(ONES[:, 0], ONES[:, :1]), r"output and target must have the same shape.*squeeze\(-1\)"),
    (lambda: Masked(BCE)(ONES, ONES, ONES), r"mask must be boolean.*got torch.float32: convert with .bool\(\)"),
    (lambda: Masked(BCE)(ONES, ONES, ONES[:, 0].bool()), r"mask and target must have the same shape, got \(3,\)"),
    (lambda: Masked(BCE)(ONES, [1.0]), r"target must be a tensor, got list"),
    (
        lambda: Masked(nn.CrossEntropyLoss(reduction="none"), fill=0.5)(torch.ones(3, 2), torch.zeros(3).long()),
        r"fill must be a class where target is torch.int64, got 0.5",
    ),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
