"""CORAL and CORN equal their formulas; CORN is the likelihood of the level."""

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.ordinal import CoralLoss, CornLoss, coral, coral_levels, corn, corn_levels


def levels(n, generator):
    logits = 3 * torch.randn(n, 4, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (n,), generator=generator)


CASES = [Case("CORAL", coral, levels), Case("CORN", corn, levels, elementwise=False)]
test_laws, test_compiles = laws_for(CASES)


def test_coral_by_hand():
    """Level 1 of 3 is above 0 and not above 1: -log p_0 - log(1 - p_1), for p = 3/4 and 1/5: log(4/3) + log(5/4)."""
    logits = torch.tensor([[3.0, 1 / 4]], dtype=torch.float64).log()
    assert_close(coral(logits, torch.tensor([1])).exp(), torch.tensor(5 / 3, dtype=torch.float64))
    # levels 0 and 2: log 4 + log(5/4) and log(4/3) + log 5
    assert_close(coral(logits, torch.tensor([0])).exp(), torch.tensor(5.0, dtype=torch.float64))
    assert_close(coral(logits, torch.tensor([2])).exp(), torch.tensor(20 / 3, dtype=torch.float64))


def test_corn_is_the_likelihood_of_the_level():
    """P(level) = prod of p_k below the level, times 1 - p_level: a distribution, of which the loss is -log."""
    logits, targets = levels(30, torch.Generator().manual_seed(1))
    p = logits.sigmoid()
    reached = torch.cat([torch.ones(30, 1), p.cumprod(dim=1)], dim=1)
    stays = torch.cat([1 - p, torch.ones(30, 1)], dim=1)
    likelihood = reached * stays
    assert_close(likelihood.sum(dim=1), torch.ones(30, dtype=torch.float64))
    expected = F.nll_loss(likelihood.log(), targets, reduction="none")
    assert_close(corn(logits, targets, reduction="none"), expected)
    assert_close(corn(logits, targets, reduction="sum"), expected.sum())
    # level k of 5 answers k + 1 questions, the last level 4
    asked = (targets + 1).clamp(max=4).sum()
    assert_close(corn(logits, targets), expected.sum() / asked)


def test_over_two_levels_both_are_binary_cross_entropy():
    logits, targets = torch.randn(20, 1, dtype=torch.float64), torch.randint(2, (20,))
    expected = F.binary_cross_entropy_with_logits(logits[:, 0], targets.double())
    assert_close(coral(logits, targets), expected)
    assert_close(corn(logits, targets), expected)


def test_corn_asks_nothing_above_the_level():
    logits = torch.randn(1, 4, requires_grad=True)
    for level in range(5):
        (slope,) = torch.autograd.grad(corn(logits, torch.tensor([level])), logits)
        assert slope[0, : level + 1].all()
        assert not slope[0, level + 1 :].any()


@pytest.mark.parametrize("loss", [coral, corn])
def test_certainty_has_a_finite_gradient(loss):
    """Certain and right costs nothing; certain and wrong costs the logits on the wrong side."""
    for sign, expected in ((1.0, 0.0), (-1.0, 800.0)):
        logits = sign * torch.tensor([[400.0, -400.0]])
        value = loss(logits.requires_grad_(), torch.tensor([1]), reduction="sum")
        (slope,) = torch.autograd.grad(value, logits)
        assert_close(value.item(), expected)
        assert slope.isfinite().all()


def test_levels_are_where_the_probability_passes_a_half():
    logits, _ = levels(200, torch.Generator().manual_seed(2))
    assert torch.equal(coral_levels(logits), (logits.sigmoid() > 0.5).sum(dim=1))
    assert torch.equal(corn_levels(logits), (logits.sigmoid().cumprod(dim=1) > 0.5).sum(dim=1))
    assert set(corn_levels(3 + logits).tolist()) == {0, 1, 2, 3, 4}
    for read in (coral_levels, corn_levels):
        assert torch.equal(read(torch.zeros(2, 3)), torch.zeros(2, dtype=torch.int64))  # a half is not passed


@pytest.mark.parametrize(("loss", "read"), [(coral, coral_levels), (corn, corn_levels)])
def test_descent_learns_the_levels(loss, read):
    targets = torch.arange(5)
    logits = torch.zeros(5, 4, requires_grad=True)
    for _ in range(100):
        (slope,) = torch.autograd.grad(loss(logits, targets, reduction="sum"), logits)
        logits = (logits - slope).detach().requires_grad_()
    assert torch.equal(read(logits), targets)


def test_modules_are_their_functions():
    logits, targets = levels(9, torch.Generator().manual_seed(3))
    assert_close(CoralLoss(reduction="sum")(logits, targets), coral(logits, targets, reduction="sum"))
    assert_close(CornLoss(reduction="sum")(logits, targets), corn(logits, targets, reduction="sum"))
    assert repr(CornLoss()) == "CornLoss(reduction='mean')"


LOGITS, LEVELS = torch.randn(4, 3), torch.tensor([0, 1, 2, 3])
MISUSES = [
    (lambda: coral(LOGITS, LEVELS + 1), r"targets must be levels 0 to 3, got 4: K levels start at 0"),
    (lambda: corn(LOGITS, LEVELS - 1), r"targets must be levels 0 to 3, got -1"),
    (lambda: coral(LOGITS, LEVELS.float()), r"targets must be levels of an integer dtype, got.*\.long"),
    (
        lambda: coral(LOGITS, LEVELS[:, None] > torch.arange(3)),
        r"targets must be levels of an integer dtype, got.*bool",
    ),
    (lambda: corn(LOGITS, LEVELS[:, None].expand(4, 3)), r"targets must have shape \[N\] = \(4,\).*give the level"),
    (lambda: corn(LOGITS[:, 0], LEVELS), r"logits must have shape \[N, K - 1\], got \(4,\)"),
    (lambda: coral(LOGITS.long(), LEVELS), r"logits must be floating point.*\.float"),
    (lambda: coral(LOGITS, LEVELS, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: corn_levels(LOGITS[0]), r"logits must have shape \[N, K - 1\], got \(3,\)"),
    (lambda: coral_levels(LEVELS[None]), r"logits must be floating point"),
    (lambda: CoralLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: CornLoss(reduction="avg"), r"reduction must be .*got 'avg'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
