import itertools

import numpy as np
import pytest
from hostile import KINDS, problems
from numpy.testing import assert_allclose
from scipy.optimize import minimize

import equipoise.aggregation.solvers.capped as solver
from equipoise.aggregation.solvers.capped import capped_min_norm
from equipoise.aggregation.solvers.min_norm import min_norm


def cheapest(slopes, cap):
    """The least w @ slopes of the capped simplex, by filling up the lowest slopes."""
    total, left = 0.0, 1.0
    for slope in sorted(slopes):
        share = min(cap, left)
        total, left = total + share * slope, left - share
    return total


@pytest.mark.paired
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_no_feasible_weights_promise_a_shorter_point(kind, share):
    for rows, _ in problems(kind):
        gramian, k = rows @ rows.T, len(rows)
        for cap in (1 / k + share * (1 - 1 / k), (1 + share) / k):
            weights, gap = capped_min_norm(gramian, cap)
            slopes = gramian @ weights
            assert gap <= 1e-12
            assert weights.min() >= 0
            assert weights.max() <= cap * (1 + 1e-12)
            assert weights.sum() == pytest.approx(1, abs=1e-12)
            assert weights @ slopes - cheapest(slopes, cap) <= 1e-12 * np.trace(gramian)


def test_every_face_of_three_rows_is_tried():
    rng = np.random.default_rng(0)
    for _ in range(100):
        rows = rng.standard_normal((3, 3)) * np.exp(rng.uniform(-1, 1, (3, 1)))
        gramian, cap = rows @ rows.T, rng.uniform(0.34, 1)
        grid = np.array([w for w in itertools.product(np.linspace(0, 1, 101), repeat=2) if sum(w) <= 1])
        grid = np.column_stack([grid, 1 - grid.sum(axis=1)])
        grid = grid[(grid <= cap).all(axis=1)]
        best = np.einsum("ni,ij,nj->n", grid, gramian, grid).min()
        weights, _ = capped_min_norm(gramian, cap)
        assert weights @ gramian @ weights <= best + 1e-12


@pytest.mark.parametrize("kind", ["generic", "aligned", "opposite"])
def test_an_independent_solver_agrees(kind):
    for rows, _ in problems(kind, seed=1):
        k = len(rows)
        if 2 < k <= 10:
            gramian, cap = rows @ rows.T / np.trace(rows @ rows.T), 1.5 / k
            found = minimize(
                lambda w, g=gramian: w @ g @ w,
                np.full(k, 1 / k),
                jac=lambda w, g=gramian: 2 * g @ w,
                bounds=[(0, cap)] * k,
                constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
                method="SLSQP",
                options={"ftol": 1e-14},
            )
            weights, _ = capped_min_norm(gramian, cap)
            assert weights @ gramian @ weights == pytest.approx(found.fun, abs=1e-8)


def test_by_hand():
    # orthogonal rows share as 36 : 9 : 4 of 49; at 0.6 the first stops, and the rest share 0.4 as 9 : 4
    assert_allclose(capped_min_norm(np.diag([1.0, 4.0, 9.0]), 0.6)[0], [0.6, 0.4 * 9 / 13, 0.4 * 4 / 13], rtol=1e-13)
    assert_allclose(capped_min_norm(np.diag([1.0, 4.0, 9.0]), 0.4)[0], [0.4, 0.4, 0.2], rtol=1e-13)
    assert_allclose(capped_min_norm(np.diag([1.0, 4.0, 9.0]), 0.2)[0], [1 / 3] * 3)
    assert_allclose(capped_min_norm(np.diag([1.0, 9.0]), 0.8)[0], [0.8, 0.2])


def test_a_loose_cap_leaves_the_point_of_least_norm():
    rows = np.random.default_rng(1).standard_normal((7, 20))
    assert_allclose(capped_min_norm(rows @ rows.T, 1.0)[0], min_norm(rows @ rows.T))


def test_zero_rows_take_what_they_may():
    rows = np.random.default_rng(2).standard_normal((5, 9))
    rows[[1, 3]] = 0
    weights, gap = capped_min_norm(rows @ rows.T, 0.3)
    assert gap < 1e-12
    assert_allclose(weights[[1, 3]], 0.3)
    rest = rows[[0, 2, 4]]
    assert_allclose(weights[[0, 2, 4]], 0.4 * capped_min_norm(rest @ rest.T, 0.75)[0])
    assert_allclose(capped_min_norm(rows @ rows.T, 0.7)[0], [0, 0.5, 0, 0.5, 0])
    assert_allclose(capped_min_norm(np.zeros((3, 3)), 0.5)[0], [1 / 3] * 3)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_common_scale_changes_nothing(scale):
    rows = np.random.default_rng(3).standard_normal((12, 30))
    weights = capped_min_norm(rows @ rows.T, 0.12)[0]
    assert_allclose(capped_min_norm(scale**2 * rows @ rows.T, 0.12)[0], weights, rtol=1e-9, atol=1e-13)


def test_from_a_corner_where_every_weight_is_at_a_bound_there_is_a_way():
    rows = np.diag([3.0, 2.0, 1.0, 1.0])
    start = np.array([0.5, 0.5, 0.0, 0.0])
    norms = rows.diagonal()
    inverse = norms.min() / norms
    point = solver._active_set(np.eye(4), inverse, 0.5 / inverse, start / inverse)
    assert_allclose(inverse * point, min_norm(rows @ rows.T), rtol=1e-12)
