from unittest.mock import patch

import numpy as np
import pytest
from hostile import KINDS, problems
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar

import equipoise.aggregation.solvers.ball as solver
from equipoise.aggregation.solvers.ball import best_step, mean_norm


def bound_of(rows, gains, radius, weights):
    """F(w): no step in the ball gives all rows more, whatever w of the simplex."""
    return gains @ weights + radius * np.linalg.norm(weights @ rows)


@pytest.mark.paired
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("c", [0.1, 0.5, 1.5])
def test_the_step_is_as_good_as_the_dual_allows(kind, c):
    for rows, _ in problems(kind):
        gramian = rows @ rows.T
        gains, length = gramian.mean(axis=1), mean_norm(gramian)
        steps, gap = best_step(gramian, gains, c * length)
        direction = steps @ rows
        trace = np.trace(gramian)
        assert gap <= 1e-10
        assert (steps >= 0).all()
        assert np.linalg.norm(direction) <= 1 + 1e-7
        if steps.any() and length > 0:
            served = (gains + c * length * (rows @ direction)).min()
            bound = bound_of(rows, gains, c * length, steps / steps.sum())
            if np.linalg.norm(direction) > 1 - 1e-7:
                assert bound - served <= 1e-7 * trace  # the rows know g_w only to the root of the gramian's rounding
            assert served >= gains.min() - 1e-10 * trace


@pytest.mark.parametrize("k", [3, 5, 10, 40, 128])
def test_the_gap_is_closed_on_the_rows_themselves(k):
    rng = np.random.default_rng(k)
    for _ in range(20 if k < 40 else 2):
        rows = rng.standard_normal((k, k)) * np.exp(rng.uniform(-1, 1, (k, 1)))
        gramian, gains, radius = rows @ rows.T, rng.standard_normal(k), rng.uniform(0.1, 3)
        steps, _ = best_step(gramian, gains, radius)
        direction = steps @ rows
        assert np.linalg.norm(direction) == pytest.approx(1, abs=1e-12)
        served = (gains + radius * (rows @ direction)).min()
        assert bound_of(rows, gains, radius, steps / steps.sum()) - served <= 1e-11 * np.trace(gramian)


@pytest.mark.parametrize("kind", ["low rank", "opposite", "centred"])
def test_where_the_rows_cancel_the_step_is_the_shortest_that_serves_all(kind):
    # zero is in the hull: with equal gains nothing can be won, and no step is the shortest
    for rows, _ in problems(kind):
        if len(rows) > 2 or kind == "centred":
            steps, gap = best_step(rows @ rows.T, np.ones(len(rows)), 1.0)
            served = 1 + (rows @ (steps @ rows)).min()
            assert gap <= 1e-7
            assert served >= 1 - 1e-7


def test_two_rows_agree_with_a_search_along_the_segment():
    rng = np.random.default_rng(1)
    for _ in range(200):
        rows = rng.standard_normal((2, 2)) * np.exp(rng.uniform(-2, 2, (2, 1)))
        gains, radius = rng.standard_normal(2), rng.uniform(0.1, 2)
        steps, _ = best_step(rows @ rows.T, gains, radius)

        def bound(x, r=rows, g=gains, c=radius):
            return bound_of(r, g, c, np.array([x, 1 - x]))

        inside = minimize_scalar(bound, bounds=(0, 1), method="bounded", options={"xatol": 1e-12}).fun
        served = (gains + radius * (rows @ (steps @ rows))).min()
        assert served == pytest.approx(min(inside, bound(0), bound(1)), rel=1e-8, abs=1e-8)


def test_two_rows_agree_with_the_general_solution(monkeypatch):
    rng = np.random.default_rng(2)
    cases = []
    for _ in range(100):
        rows = rng.standard_normal((2, 3)) * 10 ** rng.uniform(-9, 9, (2, 1))
        gramian = rows @ rows.T
        gains, radius = gramian.mean(axis=1), rng.uniform(0.1, 2) * mean_norm(gramian)
        cases.append((gramian, gains, radius, best_step(gramian, gains, radius)[0]))
    monkeypatch.setattr(solver, "_of_two", lambda *_: None)
    for gramian, gains, radius, steps in cases:
        norms = np.sqrt(gramian.diagonal())
        assert_allclose(best_step(gramian, gains, radius)[0] * norms, steps * norms, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_the_descent_alone_is_as_good(kind, monkeypatch):
    monkeypatch.setattr(solver, "_pivot", lambda cosines, inverse, heights: (np.zeros_like(heights), np.nan))
    monkeypatch.setattr(solver, "_of_two", lambda *_: None)
    for rows, _ in problems(kind, seed=1):
        if len(rows) <= 40:
            gramian = rows @ rows.T
            _, gap = best_step(gramian, gramian.mean(axis=1), 0.5 * mean_norm(gramian))
            assert gap <= 1e-10


@pytest.mark.parametrize("kind", ["generic", "aligned", "scaled"])
def test_independent_rows_need_no_descent(kind):
    with patch.object(solver, "_descend") as descend:
        for rows, _ in problems(kind):
            gramian = rows @ rows.T
            best_step(gramian, gramian.mean(axis=1), 0.5 * mean_norm(gramian))
    descend.assert_not_called()


def test_a_zero_row_gets_what_it_has():
    # both others gain from (1, 1), but the zero row stays at 0.1, which they reach with a shorter step
    rows = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    steps, gap = best_step(rows @ rows.T, np.array([0.0, 0.0, 0.1]), 1.0)
    assert_allclose(steps, [0.1, 0.1, 0], atol=1e-12)
    assert gap < 1e-12


def test_nothing_moves_without_a_radius_or_rows():
    assert best_step(np.eye(2), np.array([1.0, 2.0]), 0.0) == (pytest.approx([0, 0]), 0.0)
    assert best_step(np.zeros((3, 3)), np.zeros(3), 1.0) == (pytest.approx([0, 0, 0]), 0.0)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_common_scale_divides_the_weights(scale):
    rng = np.random.default_rng(3)
    for k in (2, 3, 10, 40):
        rows = rng.standard_normal((k, 2 * k))
        gramian = rows @ rows.T
        gains, radius = gramian.mean(axis=1), mean_norm(gramian)
        steps, _ = best_step(gramian, gains, radius)
        scaled, _ = best_step(scale**2 * gramian, scale**2 * gains, scale * radius)
        assert_allclose(scale * scaled, steps, rtol=1e-8, atol=1e-12)


def test_the_mean_row_is_zero_when_only_rounding_is_left():
    rng = np.random.default_rng(4)
    for k in (2, 3, 10, 40):
        rows = rng.standard_normal((k, 9))
        assert mean_norm(rows @ rows.T) == pytest.approx(np.linalg.norm(rows.mean(axis=0)))
        centred = rows - rows.mean(axis=0)
        assert mean_norm(centred @ centred.T) == 0
