"""Hinge losses equal their formula, under either coding of the labels."""

import pytest
import torch
from laws import Case, laws_for
from torch import nn
from torch.testing import assert_close

from equipoise.losses.hinge import BinaryHingeLoss, BinarySquaredHingeLoss, binary_hinge, binary_squared_hinge


def binary(n, generator):
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, (n, 4), generator=generator).double()


def signed(n, generator):
    logits, targets = binary(n, generator)
    return logits, 2 * targets - 1


CASES = [
    Case("binary hinge", binary_hinge, binary),
    Case("binary hinge, signed", binary_hinge, signed),
    Case("binary squared hinge", binary_squared_hinge, binary),
]
test_laws, test_compiles = laws_for(CASES)


def test_hinge_by_hand():
    # positives: 1 - 2 < 0, 1 - 0.25, 1 + 1; negatives: 1 + 2, 1 + 0.25, 1 - 1
    logits = torch.tensor([2.0, 0.25, -1.0, 2.0, 0.25, -1.0])
    targets = torch.tensor([1.0, 1.0, 1.0, 0.0, 0.0, 0.0])
    expected = torch.tensor([0.0, 0.75, 2.0, 3.0, 1.25, 0.0])
    assert_close(binary_hinge(logits, targets, reduction="none"), expected)
    assert_close(binary_squared_hinge(logits, targets, reduction="none"), expected**2)


@pytest.mark.parametrize("loss", [binary_hinge, binary_squared_hinge])
def test_the_coding_of_the_labels_does_not_matter(loss):
    logits, targets = binary(40, torch.Generator().manual_seed(1))
    assert_close(loss(logits, targets), loss(logits, 2 * targets - 1))
    assert_close(loss(logits, targets), loss(-logits, 1 - targets))
    for same in (torch.zeros_like(targets), torch.ones_like(targets)):  # one label only: either coding
        assert_close(loss(logits, same), loss(logits, 2 * same - 1))


@pytest.mark.parametrize("power", [1, 2])
def test_over_two_classes_it_is_torchs_multi_margin_loss(power):
    """Of logits (0, z): torch divides by the two classes."""
    logits, targets = (values.flatten() for values in binary(30, torch.Generator().manual_seed(2)))
    two = torch.stack([torch.zeros_like(logits), logits], dim=1)
    expected = 2 * nn.MultiMarginLoss(p=power)(two, targets.long())
    assert_close((binary_hinge, binary_squared_hinge)[power - 1](logits, targets), expected)


@pytest.mark.parametrize("loss", [binary_hinge, binary_squared_hinge])
def test_beyond_the_margin_there_is_no_slope(loss):
    logits = torch.tensor([1.0, 50.0, 1e30], requires_grad=True)
    value = loss(logits, torch.ones(3))
    (slope,) = torch.autograd.grad(value, logits)
    assert value == 0
    assert torch.equal(slope, torch.zeros(3))


def test_modules_are_their_functions():
    logits, targets = binary(9, torch.Generator().manual_seed(3))
    module = BinaryHingeLoss(reduction="sum")
    assert_close(module(logits, targets), binary_hinge(logits, targets, reduction="sum"))
    assert repr(module) == "BinaryHingeLoss(reduction='sum')"
    assert_close(BinarySquaredHingeLoss()(logits, targets), binary_squared_hinge(logits, targets))


LOGITS = torch.randn(4)
MISUSES = [
    (lambda: binary_hinge(LOGITS, torch.ones(4, 1)), r"logits and targets must have the same shape.*squeeze"),
    (lambda: binary_hinge(LOGITS, torch.ones(4).long()), r"targets must be floating point.*\.float"),
    (lambda: binary_hinge(LOGITS, torch.tensor([1.0, 2, 0, 1])), r"targets must lie in \[-1, 1\], got 2: give labels"),
    (lambda: binary_hinge(LOGITS, torch.tensor([1.0, 0.5, 0, 1])), r"targets must all be 0 or 1, got 0.5.*give labels"),
    (lambda: binary_hinge(LOGITS, torch.tensor([1.0, -1, 0, 1])), r"targets must all be -1 or 1, got 0.*leave out"),
    (lambda: binary_squared_hinge(LOGITS, torch.tensor([1.0, torch.nan, 0, 1])), r"targets must lie in .*got nan"),
    (lambda: binary_squared_hinge(LOGITS.long(), torch.ones(4)), r"logits must be floating point"),
    (lambda: binary_hinge(LOGITS, torch.ones(4), reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: BinaryHingeLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: BinarySquaredHingeLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
