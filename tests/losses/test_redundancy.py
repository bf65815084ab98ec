"""VICReg equals its paper's algorithm 1, Barlow Twins numpy's correlations."""

import numpy as np
import pytest
import torch
from laws import LAWS, Case, backends_for, check_it_compiles_to_the_same, one_sample_is_enough
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses.redundancy import BarlowTwinsLoss, VICRegLoss, barlow_twins, vicreg


def views(n, generator):
    first = 0.7 * torch.randn(n, 3, generator=generator, dtype=torch.float64)
    return first, first + 0.3 * torch.randn(n, 3, generator=generator, dtype=torch.float64)


def wide_views(n, generator):
    return tuple(torch.cat([view, view.roll(1, 0) + view.square(), view.sin()], dim=1) for view in views(n, generator))


CASES = [
    Case("vicreg", vicreg, views, learned=(0, 1), elementwise=False),
    Case("vicreg, wide", vicreg, wide_views, learned=(0, 1), elementwise=False, permutes=False),  # by roll
    Case("barlow_twins", barlow_twins, views, learned=(0, 1), elementwise=False),
    Case(
        "barlow_twins, wide",
        barlow_twins,
        wide_views,
        learned=(0, 1),
        keywords={"off_diagonal": 0.5},
        elementwise=False,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize(
    "check", [law for law in LAWS if law is not one_sample_is_enough], ids=lambda law: law.__name__
)
def test_laws(check, case):
    """One sample has no spread: an error says so."""
    check(case)


@pytest.mark.parametrize(("case", "backend"), backends_for(CASES), ids=str)
def test_compiles(case, backend):
    check_it_compiles_to_the_same(case, backend)


SIZES = [(9, 3), (4, 6), (5, 5), (2, 7)]


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_vicreg_is_algorithm_1(n, d):
    first, second = torch.randn(2, n, d, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    spread = shared = 0.0
    for view in (0.5 * first, second):
        spread += F.relu(1 - (view.var(dim=0) + 1e-4).sqrt()).mean()
        matrix = torch.atleast_2d(view.T.cov())
        shared += (matrix - matrix.diagonal().diag()).square().sum() / d
    expected = 3 * (0.5 * first - second).square().mean() + 5 * spread + 7 * shared
    assert_close(vicreg(0.5 * first, second, invariance=3.0, variance=5.0, covariance=7.0), expected)


@pytest.mark.parametrize(("n", "d"), SIZES)
def test_barlow_twins_is_of_numpy_s_correlations(n, d):
    first, second = torch.randn(2, n, d, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    correlations = np.corrcoef(first.numpy(), second.numpy(), rowvar=False)[:d, d:]
    diagonal = np.diag(correlations)
    expected = ((1 - diagonal) ** 2).sum() + 0.3 * ((correlations**2).sum() - (diagonal**2).sum())
    assert_close(barlow_twins(first, second, off_diagonal=0.3).item(), float(expected))


def test_barlow_twins_of_batch_normalisation():
    """The official code, but for the 1e-5 that batch normalisation adds to variances."""
    first, second = torch.randn(2, 64, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    normalise = torch.nn.BatchNorm1d(5, affine=False, eps=1e-30).double()
    matrix = normalise(first).T @ normalise(second) / 64
    off_diagonal = matrix.masked_fill(torch.eye(5, dtype=torch.bool), 0.0)
    expected = (1 - matrix.diagonal()).square().sum() + 0.005 * off_diagonal.square().sum()
    assert_close(barlow_twins(first, second), expected)


def test_vicreg_by_hand():
    """Columns (1, -1) and (1, -1): variances and covariance 2 (n - 1 = 1), so c = 2 · 2² / 2 = 4 of each view."""
    view = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert_close(vicreg(view, view).item(), 2 * 4.0)
    assert_close(vicreg(view, view + 1).item(), 25 + 2 * 4.0)
    # a collapsed batch: sqrt(1e-4) = 0.01 in both views
    assert_close(vicreg(torch.ones(4, 3), torch.ones(4, 3)).item(), 2 * 25 * 0.99)


def test_barlow_twins_at_its_limits():
    """Columns without correlation, both views alike: 0; one view negated: 4 D; copies of one column: D (D - 1) λ."""
    columns = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert_close(barlow_twins(columns, columns).item(), 0.0)
    assert_close(barlow_twins(columns, -columns).item(), 8.0)
    copies = torch.randn(5, 1, dtype=torch.float64).expand(5, 3)
    assert_close(barlow_twins(copies, copies, off_diagonal=0.1).item(), 0.6)


def test_barlow_twins_ignores_shift_and_scale():
    first, second = views(8, torch.Generator().manual_seed(4))
    scale = torch.tensor([0.1, 5.0, 1e4], dtype=torch.float64)
    assert_close(barlow_twins(first * scale + 3, second), barlow_twins(first, second))
    assert_close(vicreg(first + 3, second + 3), vicreg(first, second))


@pytest.mark.parametrize("loss", [vicreg, barlow_twins], ids=["vicreg", "barlow_twins"])
def test_collapse_has_a_finite_gradient(loss):
    first = torch.full((4, 3), 2.0, requires_grad=True)
    value = loss(first, torch.full((4, 3), 2.0))
    (gradient,) = torch.autograd.grad(value, first)
    assert value.isfinite()
    assert gradient.isfinite().all()
    other = torch.randn(4, 3, generator=torch.Generator().manual_seed(6))
    half = other.clone()
    half[:, 1:] = 0.1  # its mean is not exact
    half.requires_grad_()
    assert torch.autograd.grad(loss(half, other), half)[0].abs().max() < 1e3


def test_barlow_twins_of_a_constant_dimension():
    """Its correlations are 0: it costs 1, and the others nothing more."""
    column = torch.tensor([[1.0, 5.0], [-1.0, 5.0]])
    assert_close(barlow_twins(column, column).item(), 1.0)


def test_modules_are_their_functions():
    first, second = views(8, torch.Generator().manual_seed(5))
    module = VICRegLoss(invariance=1.0, variance=2.0, covariance=3.0)
    assert_close(module((first, second)), vicreg(first, second, invariance=1.0, variance=2.0, covariance=3.0))
    assert repr(module) == "VICRegLoss(invariance=1.0, variance=2.0, covariance=3.0)"
    assert_close(BarlowTwinsLoss(off_diagonal=0.2)((first, second)), barlow_twins(first, second, off_diagonal=0.2))
    losses = eq.Tasks([eq.Task("views", VICRegLoss(), target=None)]).losses({"views": (first, second)})
    assert_close(losses["views"], vicreg(first, second))


A, B = torch.randn(4, 3), torch.randn(4, 3)
MISUSES = [
    (lambda: vicreg(A, B[:3]), r"first and second must have the same shape"),
    (lambda: vicreg(A[:1], B[:1]), r"first and second must hold at least 2 samples, got 1.*drop_last=True"),
    (lambda: barlow_twins(A[:1], B[:1]), r"first and second must hold at least 2 samples, got 1.*gather"),
    (lambda: barlow_twins(A[0], B[0]), r"first must have shape \[N, D\], got \(3,\)"),
    (lambda: barlow_twins(A, B.long()), r"second must be floating point.*\.float"),
    (lambda: vicreg(A, B, variance=-1.0), r"variance must lie in \[0, inf\), got -1.0"),
    (lambda: barlow_twins(A, B, off_diagonal=-1.0), r"off_diagonal must lie in \[0, inf\), got -1.0"),
    (lambda: VICRegLoss(covariance=-1.0), r"covariance must lie in \[0, inf\), got -1.0"),
    (lambda: VICRegLoss()(A), r"features must be a pair \(first, second\).*got Tensor.*tuple of both"),
    (lambda: BarlowTwinsLoss(off_diagonal=None), r"off_diagonal must lie in \[0, inf\), got None"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
