"""Lovász losses are the extension of 1 - Jaccard, and equal it where errors are 0 or 1."""

from itertools import pairwise

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.lovasz import LovaszHingeLoss, LovaszSoftmaxLoss, lovasz_hinge, lovasz_softmax


def classes(n, generator):
    logits = 2 * torch.randn(n, 4, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(3, (n, 5), generator=generator)  # class 3 is absent
    return logits, targets.masked_fill(torch.rand(n, 5, generator=generator) < 0.2, -100)


def vectors(n, generator):
    logits, targets = classes(n, generator)
    return logits[..., 0], targets[:, 0]


def labels(n, generator):
    logits = torch.randn(n, 3, 2, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, (n, 3, 2, 5), generator=generator).double()


CASES = [
    Case("Lovász softmax", lovasz_softmax, classes, elementwise=False),
    Case("Lovász softmax, per sample", lovasz_softmax, classes, keywords={"per_sample": True}, elementwise=False),
    Case("Lovász softmax of vectors", lovasz_softmax, vectors, elementwise=False),
    Case("Lovász hinge", lovasz_hinge, labels, elementwise=False),
    Case("Lovász hinge, per sample", lovasz_hinge, labels, keywords={"per_sample": True}, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


def jaccard_loss(wrong, foreground):
    """1 - Jaccard of a prediction that is wrong on a set of pixels; 0 / 0 is no loss."""
    told = wrong ^ foreground
    union = (told | foreground).sum().item()
    return 1 - (told & foreground).sum().item() / union if union else 0.0


def choquet(errors, foreground):
    """∫ Δ({errors >= s}) ds from 0 to the largest: the Lovász extension without a sort."""
    levels = [0.0, *sorted({error for error in errors.tolist() if error > 0})]
    return sum((high - low) * jaccard_loss(errors >= high, foreground) for low, high in pairwise(levels))


def softmax_by_definition(logits, targets):
    """Of one list of pixels [C, S], [S]."""
    counts = targets != -100
    probabilities, targets = logits.softmax(dim=0)[:, counts], targets[counts]
    present = targets.unique().tolist()
    losses = [choquet(((targets == c).double() - probabilities[c]).abs(), targets == c) for c in present]
    return sum(losses) / max(len(losses), 1)


def test_softmax_is_the_choquet_integral_of_the_errors():
    logits, targets = classes(6, torch.Generator().manual_seed(1))
    targets[2] = -100
    batch = softmax_by_definition(logits.transpose(0, 1).flatten(1), targets.flatten())
    assert_close(lovasz_softmax(logits, targets).item(), batch)
    samples = [softmax_by_definition(z, t) for z, t in zip(logits, targets, strict=True) if (t != -100).any()]
    assert_close(lovasz_softmax(logits, targets, per_sample=True).item(), sum(samples) / len(samples))


def test_hinge_is_the_choquet_integral_of_the_errors():
    logits, targets = labels(4, torch.Generator().manual_seed(2))
    targets[0, 1], targets[:, 2] = 0, 0
    errors, foreground = (1 - logits * (2 * targets - 1)).clamp(min=0), targets == 1
    rows = [(errors[:, c].flatten(), foreground[:, c].flatten()) for c in range(3)]
    assert_close(lovasz_hinge(logits, targets).item(), sum(choquet(*row) for row in rows) / 3)
    rows = [(errors[n, c].flatten(), foreground[n, c].flatten()) for n in range(4) for c in range(3)]
    assert_close(lovasz_hinge(logits, targets, per_sample=True).item(), sum(choquet(*row) for row in rows) / 12)


def test_the_hard_limit_is_1_minus_jaccard():
    decisions, targets = torch.randint(5, (2, 3, 40), generator=torch.Generator().manual_seed(3))
    scores = [((decisions == c) & (targets == c)).sum() / ((decisions == c) | (targets == c)).sum() for c in range(5)]
    logits = 1e3 * F.one_hot(decisions, 5).movedim(-1, 1).double()
    assert_close(lovasz_softmax(logits, targets).item(), 1 - torch.stack(scores).mean().item())
    told, true = decisions > 2, targets > 2
    # right beyond the margin has error 0, a logit of 0 has error 1
    logits = torch.where(told == true, torch.where(true, 5.0, -5.0), 0.0).unsqueeze(1)
    expected = 1 - (told & true).sum() / (told | true).sum()
    assert_close(lovasz_hinge(logits, true.float().unsqueeze(1)), expected)


def test_what_is_ignored_is_as_if_removed():
    """Value and gradient; zero errors and certain pixels among them."""
    logits, targets = classes(6, torch.Generator().manual_seed(4))
    logits[:, 0, 3] = 1e3
    targets = targets.clamp(min=0)
    logits.requires_grad_()
    ignored = targets.clone()
    ignored[:, :2], ignored[4] = 9, 9
    rest = torch.tensor([0, 1, 2, 3, 5])
    for per_sample in (False, True):
        expected = lovasz_softmax(logits[rest, :, 2:], targets[rest, 2:], per_sample=per_sample)
        value = lovasz_softmax(logits, ignored, ignore_index=9, per_sample=per_sample)
        assert_close(value, expected)
        assert_close(torch.autograd.grad(value, logits), torch.autograd.grad(expected, logits))


def test_a_class_may_be_ignored():
    logits, targets = classes(6, torch.Generator().manual_seed(10))
    targets = targets.clamp(min=0)
    for per_sample in (False, True):
        expected = lovasz_softmax(logits, targets.where(targets != 1, -100), per_sample=per_sample)
        assert_close(lovasz_softmax(logits, targets, ignore_index=1, per_sample=per_sample), expected)


def test_what_is_masked_is_as_if_removed():
    logits, targets = labels(6, torch.Generator().manual_seed(5))
    logits = (3 * logits).requires_grad_()  # beyond the margin: many errors of 0
    mask = torch.ones_like(targets, dtype=torch.bool)
    mask[..., :2], mask[4] = False, False
    rest = torch.tensor([0, 1, 2, 3, 5])
    for per_sample in (False, True):
        expected = lovasz_hinge(logits[rest][..., 2:], targets[rest][..., 2:], per_sample=per_sample)
        value = lovasz_hinge(logits, targets, mask=mask, per_sample=per_sample)
        assert_close(value, expected)
        assert_close(torch.autograd.grad(value, logits), torch.autograd.grad(expected, logits))


@pytest.mark.parametrize("per_sample", [False, True])
def test_nothing_that_counts_is_0_with_a_gradient_of_0(per_sample):
    logits, targets = classes(3, torch.Generator().manual_seed(6))
    logits.requires_grad_()
    value = lovasz_softmax(logits, torch.full_like(targets, -100), per_sample=per_sample)
    assert value == 0
    assert (torch.autograd.grad(value, logits)[0] == 0).all()
    logits, targets = labels(3, torch.Generator().manual_seed(6))
    logits.requires_grad_()
    value = lovasz_hinge(logits, targets, mask=targets > 1, per_sample=per_sample)
    assert value == 0
    assert (torch.autograd.grad(value, logits)[0] == 0).all()


def test_an_empty_label_costs_its_worst_error():
    logits = torch.tensor([[[-2.0, 0.5, -0.5]]])
    assert_close(lovasz_hinge(logits, torch.zeros(1, 1, 3)).item(), 1.5)


@pytest.mark.parametrize("certainty", [20.0, 1e3, 1e30])
def test_limits_and_their_gradients(certainty):
    targets = torch.tensor([[0, 1, 0, 1, 1]])
    right = F.one_hot(targets, 2).movedim(-1, 1).float()
    for sign, expected in ((1, 0.0), (-1, 1.0)):
        logits = (sign * certainty * (2 * right - 1)).requires_grad_()
        value = lovasz_softmax(logits, targets)
        assert_close(value.item(), expected)
        assert torch.autograd.grad(value, logits)[0].isfinite().all()
        value = lovasz_hinge(logits, right)
        assert_close(value.item(), expected * (1 + certainty))
        assert torch.autograd.grad(value, logits)[0].isfinite().all()


def test_hinge_is_convex():
    """Along a line the value lies below its chord."""
    one, targets = labels(5, torch.Generator().manual_seed(7))
    other, _ = labels(5, torch.Generator().manual_seed(8))
    for part in (0.2, 0.5, 0.8):
        chord = (1 - part) * lovasz_hinge(one, targets) + part * lovasz_hinge(other, targets)
        assert lovasz_hinge((1 - part) * one + part * other, targets) < chord


def test_modules_are_their_functions():
    arguments = classes(5, torch.Generator().manual_seed(9))
    module = LovaszSoftmaxLoss(per_sample=True, ignore_index=1)
    assert repr(module) == "LovaszSoftmaxLoss(per_sample=True, ignore_index=1)"
    filled = (arguments[0], arguments[1].clamp(min=0))
    assert_close(module(*filled), lovasz_softmax(*filled, per_sample=True, ignore_index=1))
    assert_close(LovaszSoftmaxLoss()(*arguments), lovasz_softmax(*arguments))
    logits, targets = labels(5, torch.Generator().manual_seed(9))
    mask = torch.rand_like(targets) < 0.7
    module = LovaszHingeLoss(per_sample=True)
    assert repr(module) == "LovaszHingeLoss(per_sample=True)"
    assert_close(module(logits, targets, mask), lovasz_hinge(logits, targets, mask=mask, per_sample=True))
    assert_close(LovaszHingeLoss()(logits, targets), lovasz_hinge(logits, targets))


LOGITS, TARGETS, MASKS = torch.randn(4, 3, 5), torch.arange(20).view(4, 5) % 3, torch.ones(4, 3, 5)
MISUSES = [
    (lambda: lovasz_softmax(LOGITS, MASKS), r"targets must be class indices in int64.*argmax"),
    (lambda: lovasz_softmax(LOGITS, TARGETS[..., None]), r"targets must have shape .*squeeze\(-1\)"),
    (lambda: lovasz_softmax(LOGITS, TARGETS + 1), r"targets must be classes 0 to 2, got 3"),
    (lambda: lovasz_softmax(LOGITS.softmax(1), TARGETS), r"logits are probabilities.*before softmax"),
    (lambda: lovasz_hinge(LOGITS[:, 0], MASKS), r"logits and targets must have the same shape"),
    (lambda: lovasz_hinge(LOGITS, MASKS.bool()), r"targets must be floating point.*\.float"),
    (lambda: lovasz_hinge(LOGITS, 2 * MASKS - 3), r"targets must lie in \[0, 1\], got -1: give labels 0 or 1"),
    (lambda: lovasz_hinge(LOGITS[0, 0], MASKS[0, 0]), r"logits must have shape \[N, L, ...\] \(one label: unsqueeze"),
    (lambda: lovasz_hinge(LOGITS, MASKS, mask=MASKS), r"mask must be bool.*\.bool"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
