"""Every gramian method that TorchJD has beside ours, on 30 problems of each size, 60 slowly, 200 by -m exhaustive.

TorchJD's epsilons (``norm_eps``, ``reg_eps``, ``eps``) are turned down as far as its solvers allow, and its clipping of
Nash-MTL is off, as in the papers. A number judges an answer by the method's definition, from the rows alone: ours may
never be worse by more than the gramian's rounding, and where TorchJD's answer meets the definition too, the directions
agree.
"""

import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.aggregation.solvers.dual_cone import project

theirs = pytest.importorskip("torchjd.aggregation")
linalg = pytest.importorskip("torchjd.linalg")
for needed in ("quadprog", "cvxpy", "clarabel", "ecos", "scipy"):
    pytest.importorskip(needed)

EXHAUSTIVE = pytest.mark.exhaustive
F64 = torch.float64
SIZES = (2, 3, 5, 10, 40)
QUICK = 30  # problems
# where theirs takes 0.1 to 2 seconds for a problem; all 200 by -m exhaustive
FEWER = {("nash-mtl", 10): 20, ("nash-mtl", 40): 6, ("fairgrad", 10): 30, ("fairgrad", 40): 6, ("mgda", 40): 20}


def problems(k, count=200):
    """Rows [k, columns] of full and of half the rank, of equal length and of lengths from 1e-3 to 1e3."""
    generator = torch.Generator().manual_seed(k)
    for trial in range(count):
        columns = (2 * k, k, max(1, k // 2))[trial % 3]
        rows = torch.randn(k, columns, generator=generator, dtype=F64)
        spread = 3.0 * (trial // 3 % 2)
        yield rows * 10 ** (spread * (2 * torch.rand(k, 1, generator=generator, dtype=F64) - 1))


def least(rows, weights):
    """MGDA: the squared length of the direction, less the least there is for any direction of these gains."""
    gains = rows @ (weights @ rows)
    return (weights @ gains - gains.min()) / rows.square().sum()


def missed_cone(rows, weights, start):
    """UPGrad, DualProj: w >= u, G w >= 0, (w - u) . G w = 0."""
    gains = weights @ rows @ rows.T
    return max(-gains.min(), ((weights - start) * gains).abs().max()) / rows.square().sum()


def missed_bargain(alpha):
    def judge(rows, weights):
        if not (weights > 0).all():
            return np.inf
        wanted = weights ** (-1 / alpha)
        return ((rows @ (weights @ rows) - wanted) / wanted).abs().max()

    return judge


def badly_served(rows, weights, c=0.5):
    """CAGrad: what the worst-served task gets, or how far the direction is from the ball."""
    mean, direction = rows.mean(dim=0), weights @ rows
    beyond = (direction - mean).square().sum() - c**2 * mean.square().sum()
    return max(-(rows @ direction).min() / rows.square().sum(), beyond / rows.square().sum() * 1e3 - 1)


def uneven(rows, weights):
    """IMTL-G, ConFIG: projections on the unit rows that differ."""
    gains = rows @ (weights @ rows) / rows.norm(dim=1)
    return (gains.max() - gains.min()) / gains.abs().max()


def unaligned(scale):
    def judge(rows, weights):
        left, singular, right = torch.linalg.svd(rows, full_matrices=False)
        chosen = {"min": singular[-1], "median": singular[len(singular) // 2], "rmse": singular.square().mean().sqrt()}
        expected = chosen[scale] * (left @ right).sum(dim=0)
        return (weights @ rows - expected).norm() / expected.norm()

    return judge


def wrong_by_priority(rows, weights):
    """PCD, first step: the share of progress on the other tasks' unit rows, and that d leaves h_p no more than due."""
    units = rows / rows.norm(dim=1, keepdim=True)
    steps = weights * rows.norm(dim=1)
    steps = steps / steps[0]
    slack = units[1:] @ (steps @ units) - 0.02
    violation = max(-slack.min(), (steps[1:] * slack).abs().max(), -steps.min())
    return violation / max(float(steps.abs().sum()), 1.0) ** 2  # by its conditioning: long steps are rounded as such


def hidden(rows):
    """What the rounding of a gramian may hide: eps times its condition, for unit rows, without what is dependent."""
    singular = torch.linalg.svdvals(rows / rows.norm(dim=1, keepdim=True))
    kept = singular[singular > 1e-12 * singular[0]]
    return 10 * len(rows) * torch.finfo(F64).eps * float(singular[0] / kept[-1]) ** 2


def of_gramian(weighting):
    return lambda rows: weighting(rows @ rows.T)


def aligned(scale):
    weighting = theirs.AlignedMTLWeighting(scale_mode=scale)
    return lambda rows: len(rows) * weighting(rows @ rows.T)  # theirs means, ours sums


def bargain(rows):
    return theirs.NashMTL(len(rows), max_norm=0.0).weighting(rows)


def first_step(rows):
    return theirs.PCDWeighting(tau=0.02, eps=0.0)(rows @ rows.T)  # a new one, since it has a state


def config(rows):
    """Their direction, as weights of the rows."""
    return torch.linalg.lstsq(rows.T, theirs.ConFIG()(rows), driver="gelsd").solution


# ours, theirs: rows -> weights, judge, how good theirs must be for the directions to agree, to what
CASES = {
    "mgda": (eq.MGDA, of_gramian(theirs.MGDAWeighting(1e-9, 1000)), least, 1e-9, 1e-4),
    "cagrad": (eq.CAGrad, of_gramian(theirs.CAGradWeighting(0.5, norm_eps=0.0)), badly_served, -np.inf, 0),
    "nash-mtl": (eq.NashMTL, bargain, missed_bargain(1.0), 1e-4, 1e-3),
    "fairgrad": (eq.FairGrad, of_gramian(theirs.FairGradWeighting(2.0)), missed_bargain(2.0), 1e-7, 1e-6),
    "imtl-g": (eq.IMTLG, of_gramian(theirs.IMTLGWeighting()), uneven, 1e-9, 1e-6),
    "config": (eq.ConFIG, config, uneven, 1e-9, 1e-6),
    "pcd": (eq.PCD, first_step, wrong_by_priority, 1e-9, 1e-6),
    **{
        f"aligned-mtl {scale}": (lambda s=scale: eq.AlignedMTL(s), aligned(scale), unaligned(scale), 1e-7, 1e-6)
        for scale in ("min", "median", "rmse")
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("k", SIZES)
def test_ours_is_never_further_from_the_definition(name, k):
    check_never_further(name, k, FEWER.get((name, k), 60))


@pytest.mark.slow
@EXHAUSTIVE
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("k", SIZES)
def test_ours_is_never_further_on_200_problems(name, k):
    check_never_further(name, k, 200)


def check_never_further(name, k, count):
    make, answer, judge, solved, tolerance = CASES[name]
    agreed = 0
    for rows in problems(k, count):
        method = make()
        method.bind(k)
        here = method(rows @ rows.T, torch.ones(k, dtype=F64))
        if method.unsolved:  # no answer exists
            continue
        there = answer(rows)
        ours, other = float(judge(rows, here)), float(judge(rows, there))
        assert ours <= max(1.01 * other, other + 1e-9 + hidden(rows))
        if other <= solved:
            agreed += 1
            one, two = here @ rows, there @ rows
            if name == "imtl-g":  # with dependent rows its weights, and so its length, are a convention
                one, two = one / one.norm(), two / two.norm()
            assert (one - two).norm() <= (tolerance + hidden(rows)) * max(
                one.norm(), rows.norm() if name == "mgda" else 0
            )
    assert agreed >= (0 if name == "cagrad" or k == 40 else 5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("k", "count"), [*((k, 200) for k in SIZES[:-1]), (40, 60), pytest.param(40, 200, marks=EXHAUSTIVE)]
)
@pytest.mark.parametrize(("make", "all_rows"), [(eq.UPGrad, True), (eq.DualProj, False)])
def test_projections_are_quadprogs_without_its_ridge(make, all_rows, k, count):
    projector = linalg.QuadprogProjector(norm_eps=0.0, reg_eps=1e-12)
    start = torch.eye(k, dtype=F64) / k if all_rows else torch.full((1, k), 1 / k, dtype=F64)
    agreed = 0
    for rows in problems(k, count):
        gramian = rows @ rows.T
        here = torch.from_numpy(project(gramian.numpy(), start.numpy())[0])
        torch.testing.assert_close(make()(gramian, torch.ones(k, dtype=F64)), here.sum(dim=0))
        ours = missed_cone(rows, here, start)
        assert ours <= 1e-12
        try:
            there = projector(start, gramian)
        except (ValueError, TypeError):  # not definite enough for quadprog
            continue
        if missed_cone(rows, there, start) <= 1e-9:
            agreed += 1
            assert (here @ rows - there @ rows).norm() <= 1e-4 * rows.norm()
    assert agreed >= 20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("k", "count"), [*((k, 200) for k in SIZES[:-1]), (40, 20), pytest.param(40, 200, marks=EXHAUSTIVE)]
)
@pytest.mark.parametrize("name", ["pcgrad", "gradvac"])
def test_surgery_is_theirs_in_our_order(name, k, count, monkeypatch):
    for number, rows in enumerate(problems(k, count)):
        method = eq.PCGrad(seed=number) if name == "pcgrad" else eq.GradVac(beta=0.5, seed=number)
        other = theirs.PCGradWeighting() if name == "pcgrad" else theirs.GradVacWeighting(beta=0.5, eps=0.0)
        method.bind(k)
        for step in range(1 if k == 40 else 2):  # the second has other targets than zero
            keys = np.random.default_rng((number, step)).random((k, k))
            np.fill_diagonal(keys, np.inf)
            orders = enumerate(keys.argsort(axis=1)[:, :-1])

            def drawn(size, orders=orders):
                i, order = next(orders)
                return torch.from_numpy(order if size == k else order - (order > i))  # theirs may leave i out

            with monkeypatch.context() as patch:
                patch.setattr(torch, "randperm", drawn)
                there = other(rows @ rows.T)
            here = method(rows @ rows.T, torch.ones(k, dtype=F64))
            if np.linalg.matrix_rank(rows.numpy()) == min(k, rows.shape[1]) == k:  # else a sign is rounding's
                assert (here @ rows - there @ rows).norm() <= 1e-6 * (there @ rows).norm() + 1e-9 * rows.norm()


@pytest.mark.parametrize("k", SIZES)
def test_coordinate_methods_are_theirs(k, monkeypatch):
    trim = (k - 1) // 2 if k < 10 else 2
    for rows in problems(k, QUICK):
        losses = torch.ones(k)
        torch.testing.assert_close(eq.TrimmedMean(trim)(rows, losses), theirs.TrimmedMean(trim)(rows))
        ours = eq.GradDrop()
        ours.bind(k)
        drawn = torch.rand(rows.shape[1], dtype=F64)
        with monkeypatch.context() as patch:
            patch.setattr(torch, "rand", lambda *_, drawn=drawn, **__: drawn)
            torch.testing.assert_close(ours(rows, losses), theirs.GradDrop()(rows))


@pytest.mark.parametrize("k", SIZES[1:])
def test_krums_choice_is_theirs_or_better_by_the_papers_score(k):
    def score(rows, weights):
        squares = (rows - rows[int(weights.argmax())]).square().sum(dim=1)
        return float(squares.sort().values[1 : k - 1].sum())

    for rows in problems(k, QUICK):
        gramian = rows @ rows.T
        ours, other = eq.Krum()(gramian, torch.ones(k, dtype=F64)), theirs.KrumWeighting(0)(gramian)
        assert score(rows, ours) <= score(rows, other) * (1 + 1e-9) + 1e-12 * float(gramian.trace())


@pytest.mark.parametrize("k", SIZES)
def test_random_weights_are_theirs_for_the_same_draws(k, monkeypatch):
    method = eq.RLW(seed=3)
    method.bind(k)
    for step in range(QUICK):
        drawn = torch.from_numpy(np.random.default_rng((3, step)).standard_normal(k))
        with monkeypatch.context() as patch:
            patch.setattr(torch, "randn", lambda *_, drawn=drawn, **__: drawn)
            there = theirs.RandomWeighting()(torch.ones(k, 1, dtype=F64))
        leaf = torch.ones(k, dtype=F64, requires_grad=True)
        torch.testing.assert_close(torch.autograd.grad(method(leaf), leaf)[0], there)


@pytest.mark.parametrize("k", SIZES)
def test_fixed_weights_are_theirs(k):
    weights = torch.arange(1.0, k + 1, dtype=F64)
    for rows in problems(k, QUICK):
        for ours, other in (
            (eq.Sum(), theirs.SumWeighting()),
            (eq.Fixed([1 / k] * k), theirs.MeanWeighting()),
            (eq.Fixed(weights.tolist()), theirs.ConstantWeighting(weights)),
        ):
            ours.bind(k)
            leaf = torch.ones(k, dtype=F64, requires_grad=True)
            torch.testing.assert_close(torch.autograd.grad(ours(leaf), leaf)[0], other(rows))


@pytest.mark.parametrize("k", SIZES)
def test_smoothed_weights_are_theirs_without_the_bias_of_the_start(k):
    smooth, other = eq.Smooth(0.9, eq.MGDA()), theirs.CRMOGMWeighting(lambda gramian: answer, 0.9, torch.zeros(k))
    smooth.bind(k)
    for step, rows in enumerate(problems(k, QUICK)):
        answer = eq.MGDA()(rows @ rows.T, torch.ones(k, dtype=F64))
        there = other(rows @ rows.T) / (1 - 0.9 ** (step + 1))
        torch.testing.assert_close(smooth(rows @ rows.T, torch.ones(k, dtype=F64)), there)
