"""The losses for wrong labels equal their formulas in probabilities, and cross-entropy at their limits."""

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.noise import (
    BinaryPoly1Loss,
    GeneralisedCrossEntropyLoss,
    Poly1Loss,
    SymmetricCrossEntropyLoss,
    binary_poly1,
    generalised_cross_entropy,
    poly1,
    symmetric_cross_entropy,
)


def binary(n, generator):
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, (n, 4), generator=generator).double()


def classes(n, generator):
    logits = 3 * torch.randn(n, 5, 3, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (n, 3), generator=generator)


CASES = [
    Case("poly-1", poly1, classes),
    Case("poly-1, epsilon below 0", poly1, classes, keywords={"epsilon": -1.0}),
    Case("binary poly-1", binary_poly1, binary, keywords={"epsilon": 2.0}),
    Case("generalised cross-entropy", generalised_cross_entropy, classes),
    Case("generalised cross-entropy, q = 1", generalised_cross_entropy, classes, keywords={"q": 1.0}),
    Case("symmetric cross-entropy", symmetric_cross_entropy, classes),
]
test_laws, test_compiles = laws_for(CASES)

OVER_CLASSES = [poly1, generalised_cross_entropy, symmetric_cross_entropy]


def hit(logits, targets):
    """p_t, by gathering."""
    return logits.softmax(dim=1).gather(1, targets.unsqueeze(1)).squeeze(1)


@pytest.mark.parametrize("epsilon", [-1.0, 0.5, 2.0])
def test_poly_1_is_its_formula(epsilon):
    logits, targets = classes(30, torch.Generator().manual_seed(1))
    p = hit(logits, targets)
    assert_close(poly1(logits, targets, epsilon=epsilon, reduction="none"), -p.log() + epsilon * (1 - p))


def test_poly_1_moves_the_first_coefficient():
    """-log p = sum_j (1 - p)^j / j; at epsilon = -1 the sum starts at j = 2."""
    logits, targets = torch.randn(20, 3, dtype=torch.float64), torch.randint(3, (20,))
    miss = 1 - hit(logits, targets)
    series = sum(miss**j / j for j in range(2, 3000))
    assert_close(poly1(logits, targets, epsilon=-1.0, reduction="none"), series)


def test_binary_poly_1_is_poly_1_over_two_classes():
    """Logits of two classes are one logit: their difference. A share of a label is that share of both losses."""
    logits, targets = binary(30, torch.Generator().manual_seed(2))
    two = torch.stack([torch.zeros_like(logits), logits], dim=1)
    expected = poly1(two, targets.long(), epsilon=1.5, reduction="none")
    assert_close(binary_poly1(logits, targets, epsilon=1.5, reduction="none"), expected)
    third = torch.full_like(targets, 1 / 3)
    ones, zeros = torch.ones_like(targets), torch.zeros_like(targets)
    assert_close(binary_poly1(logits, third), (binary_poly1(logits, ones) + 2 * binary_poly1(logits, zeros)) / 3)


@pytest.mark.parametrize("q", [0.3, 0.7, 1.0])
def test_generalised_cross_entropy_is_its_formula(q):
    logits, targets = classes(30, torch.Generator().manual_seed(3))
    expected = (1 - hit(logits, targets) ** q) / q
    assert_close(generalised_cross_entropy(logits, targets, q=q, reduction="none"), expected)


def test_generalised_cross_entropy_lies_between_cross_entropy_and_absolute_error():
    logits, targets = classes(30, torch.Generator().manual_seed(4))
    nearly = generalised_cross_entropy(logits, targets, q=1e-9, reduction="none")
    assert_close(nearly, F.cross_entropy(logits, targets, reduction="none"), rtol=1e-6, atol=0)
    error = (logits.softmax(dim=1) - F.one_hot(targets, 5).movedim(-1, 1)).abs().sum(dim=1)
    assert_close(generalised_cross_entropy(logits, targets, q=1.0, reduction="none"), error / 2)


def test_symmetric_cross_entropy_is_its_formula():
    """With log 0 := -4 in the logarithms of the target."""
    logits, targets = classes(30, torch.Generator().manual_seed(5))
    one_hot = F.one_hot(targets, 5).movedim(-1, 1).double()
    forward = -(one_hot * logits.log_softmax(dim=1)).sum(dim=1)
    reverse = -(logits.softmax(dim=1) * torch.where(one_hot == 1, 0.0, -4.0)).sum(dim=1)
    loss = symmetric_cross_entropy(logits, targets, alpha=0.3, beta=2.0, reduction="none")
    assert_close(loss, 0.3 * forward + 2.0 * reverse)
    loss = symmetric_cross_entropy(logits, targets, alpha=0.0, log_zero=-6.0, reduction="none")
    assert_close(loss, 1.5 * reverse)


def test_without_their_term_they_are_cross_entropy():
    logits, targets = classes(20, torch.Generator().manual_seed(6))
    targets[:4] = -100
    for reduction in ("none", "mean", "sum"):
        expected = F.cross_entropy(logits, targets, reduction=reduction)
        assert_close(poly1(logits, targets, epsilon=0.0, reduction=reduction), expected)
        assert_close(symmetric_cross_entropy(logits, targets, alpha=1.0, beta=0.0, reduction=reduction), expected)


@pytest.mark.parametrize("loss", OVER_CLASSES)
def test_what_is_ignored_is_as_if_removed(loss):
    logits, targets = classes(20, torch.Generator().manual_seed(7))
    ignored = targets.clone()
    ignored[:7] = -100
    assert_close(loss(logits, ignored), loss(logits[7:], targets[7:]))
    elsewhere = torch.where(ignored == -100, 255, ignored)
    assert_close(loss(logits, elsewhere, ignore_index=255), loss(logits[7:], targets[7:]))
    logits.requires_grad_()
    nothing = loss(logits, torch.full_like(targets, -100))
    assert nothing == 0
    assert not torch.autograd.grad(nothing, logits)[0].any()


@pytest.mark.parametrize("loss", OVER_CLASSES)
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_certainty_has_a_finite_gradient(loss, sign):
    """Certain and right costs nothing; certain and wrong is finite."""
    logits = torch.tensor([[0.0, 3e4 * sign]], requires_grad=True)
    value = loss(logits, torch.tensor([1]))
    (slope,) = torch.autograd.grad(value, logits)
    assert value.isfinite()
    assert slope.isfinite().all()
    if sign > 0:
        assert value == 0
        assert not slope.any()


@pytest.mark.parametrize("loss", [generalised_cross_entropy, symmetric_cross_entropy])
def test_they_forgive_a_wrong_label(loss):
    """Of a sample that is certainly something else, cross-entropy's slope is 1; theirs is smaller."""
    logits = torch.tensor([[0.0, 20.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(loss(logits, torch.tensor([0])), logits)
    assert slope.abs().max() < 0.2


def test_modules_are_their_functions():
    logits, targets = classes(9, torch.Generator().manual_seed(8))
    shared = {"ignore_index": 2, "reduction": "sum"}
    for module, loss, keywords in (
        (Poly1Loss, poly1, {"epsilon": 2.0}),
        (GeneralisedCrossEntropyLoss, generalised_cross_entropy, {"q": 0.4}),
        (SymmetricCrossEntropyLoss, symmetric_cross_entropy, {"alpha": 0.2, "beta": 3.0, "log_zero": -5.0}),
    ):
        made = module(**keywords, **shared)
        assert_close(made(logits, targets), loss(logits, targets, **keywords, **shared))
    assert repr(Poly1Loss(2.0)) == "Poly1Loss(epsilon=2.0, ignore_index=-100, reduction='mean')"
    logits, targets = binary(9, torch.Generator().manual_seed(8))
    made = BinaryPoly1Loss(epsilon=2.0, reduction="sum")
    assert_close(made(logits, targets), binary_poly1(logits, targets, epsilon=2.0, reduction="sum"))


LOGITS, LABELS = torch.randn(4, 3), torch.tensor([0, 1, 2, 0])
MISUSES = [
    (lambda: poly1(LOGITS.softmax(dim=1), LABELS), r"logits are probabilities.*before softmax"),
    (lambda: poly1(LOGITS, LABELS + 1), r"targets must be classes 0 to 2, got 3"),
    (lambda: poly1(LOGITS, LABELS[:, None]), r"targets must have shape \[N, ...\] = \(4,\).*squeeze"),
    (lambda: poly1(LOGITS, LABELS, epsilon=-2.0), r"epsilon must lie in \[-1, inf\), got -2.0"),
    (lambda: poly1(LOGITS, LABELS, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: binary_poly1(torch.randn(4), torch.ones(4, 1)), r"logits and targets must have the same shape.*squeeze"),
    (lambda: binary_poly1(torch.randn(4), torch.ones(4) + 1), r"targets must lie in \[0, 1\], got 2: give labels"),
    (lambda: binary_poly1(torch.randn(4), torch.ones(4).long()), r"targets must be floating point.*\.float"),
    (lambda: generalised_cross_entropy(LOGITS, LABELS, q=0.0), r"q must lie in \(0, 1\], got 0.0"),
    (lambda: generalised_cross_entropy(LOGITS, LABELS.float()), r"targets must be class indices.*\.long"),
    (lambda: symmetric_cross_entropy(LOGITS, LABELS, log_zero=4.0), r"log_zero must lie in \(-inf, 0\], got 4.0"),
    (lambda: symmetric_cross_entropy(LOGITS, LABELS, alpha=-0.1), r"alpha must lie in \[0, inf\), got -0.1"),
    (lambda: SymmetricCrossEntropyLoss(beta=-1.0), r"beta must lie in \[0, inf\), got -1.0"),
    (lambda: GeneralisedCrossEntropyLoss(q=1.5), r"q must lie in \(0, 1\], got 1.5"),
    (lambda: Poly1Loss(epsilon=-2.0), r"epsilon must lie in \[-1, inf\), got -2.0"),
    (lambda: BinaryPoly1Loss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
