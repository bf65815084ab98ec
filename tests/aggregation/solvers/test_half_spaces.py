from unittest.mock import patch

import numpy as np
import pytest
from hostile import KINDS, problems
from numpy.testing import assert_allclose
from scipy.optimize import nnls

import equipoise.aggregation.solvers.dual_cone as projection
import equipoise.aggregation.solvers.half_spaces as pivoting
import equipoise.aggregation.solvers.least_distance as solver
from equipoise.aggregation.solvers.half_spaces import all_by_pivoting
from equipoise.aggregation.solvers.least_distance import shortest_step


def units_of(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows[norms[:, 0] > 0] / norms[norms[:, 0] > 0]


def conditions(units, heights, step):
    """The largest violation of m >= 0, C m >= h and m . (C m - h) = 0, from the rows themselves."""
    slack = units @ (step @ units) - heights
    return max(-step.min(initial=0), -slack.min(initial=0), np.abs(step * slack).max(initial=0))


@pytest.mark.parametrize("kind", KINDS)
def test_the_step_meets_its_conditions(kind):
    for rows, rng in problems(kind):
        units = units_of(rows)
        if not len(units):
            continue
        cosines = units @ units.T
        heights = -units @ rng.standard_normal(units.shape[1])  # what a step of that length reaches
        scale = np.abs(heights).max()
        step, residual = shortest_step(cosines, heights, scale)
        assert residual <= 1e-10
        assert conditions(units, heights, step) <= 1e-10 * max(heights.max(), 1)
        steps, residuals = all_by_pivoting(cosines, np.stack([heights, -np.abs(heights), heights]), np.full(3, scale))
        assert not steps[1].any()
        solved = residuals <= 1e-10  # it may fail on dependent rows, and says so
        assert solved[0] == solved[2]  # the residuals themselves differ by what the BLAS rounds in another row
        if solved[0]:
            assert_allclose(steps[[0, 2]] @ units, [step @ units] * 2, atol=1e-7 * max(np.linalg.norm(step @ units), 1))


def test_an_independent_solver_agrees():
    # v = sum_k m_k u_k is the residual of projecting onto a cone: nnls on (rows, heights), Lawson & Hanson's LDP
    rng = np.random.default_rng(0)
    for k in (2, 3, 6, 20):
        for columns in (3 * k, max(2, k // 2)):
            units = units_of(rng.standard_normal((k, columns)))
            heights = units @ rng.standard_normal(columns) - rng.random(k)
            lifted = np.column_stack([units, heights]).T
            shares, _ = nnls(lifted, np.eye(columns + 1)[-1])
            rest = lifted @ shares - np.eye(columns + 1)[-1]
            step, _ = shortest_step(units @ units.T, heights, 1.0)
            assert_allclose(step @ units, -rest[:-1] / rest[-1], atol=1e-9)


@pytest.mark.parametrize("k", [3, 5, 10, 40])
def test_what_no_step_reaches_is_proved(k):
    rng = np.random.default_rng(k)
    for columns in (k, 3 * k):
        units = rng.standard_normal((k, columns))
        units[-1] = -rng.random(k - 1) @ units[:-1]
        units = units_of(units)
        proof = shortest_step(units @ units.T, np.ones(k), 1.0)
        assert proof[1] == np.inf
        assert (proof[0] >= 0).all()
        assert np.linalg.norm(proof[0] @ units) < 1e-6 * proof[0].sum()
        assert proof[0].sum() > 0


def test_opposite_rows_that_agree_are_met_and_those_that_do_not_are_told():
    cosines = np.array([[1.0, -1.0], [-1.0, 1.0]])
    step, residual = shortest_step(cosines, np.array([0.5, -0.5]), 0.5)
    assert residual < 1e-12
    assert_allclose(cosines @ step, [0.5, -0.5], atol=1e-12)
    assert shortest_step(cosines, np.array([0.5, -0.4]), 0.5)[1] == np.inf


def test_nothing_to_reach_is_no_step():
    assert shortest_step(np.eye(3), np.array([0.0, -1.0, -2.0]), 1.0)[0].tolist() == [0, 0, 0]
    assert shortest_step(np.empty((0, 0)), np.empty(0), 1.0)[1] == 0


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_heights_scale_the_step(scale):
    rng = np.random.default_rng(1)
    units = units_of(rng.standard_normal((10, 30)))
    heights = rng.standard_normal(10)
    step, _ = shortest_step(units @ units.T, heights, 1.0)
    assert_allclose(shortest_step(units @ units.T, scale * heights, scale)[0] / scale, step, rtol=1e-12)


def test_independent_rows_need_no_second_attempt(monkeypatch):
    monkeypatch.delattr(solver, "_least_distance")  # a call would raise
    rng = np.random.default_rng(2)
    for k in (3, 10, 40, 128):
        units = units_of(rng.standard_normal((k, 3 * k)))
        shortest_step(units @ units.T, rng.standard_normal(k), 1.0)
        assert all_by_pivoting(units @ units.T, rng.standard_normal((k, k)), np.ones(k))[1].max() <= 1e-12


@pytest.mark.parametrize("kind", ["low rank", "duplicated", "centred low rank"])
def test_projections_onto_dependent_rows_need_no_second_attempt(kind):
    with patch.object(projection, "_by_least_squares") as second:
        for rows, _ in problems(kind):
            projection.project(rows @ rows.T, np.eye(len(rows)))
    second.assert_not_called()


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_attempt_alone_is_as_good(kind, monkeypatch):
    monkeypatch.setattr(pivoting, "ROUNDS", 0)
    for rows, rng in problems(kind, seed=1):
        units = units_of(rows)
        if 0 < len(units) <= 40:
            heights = -units @ rng.standard_normal(units.shape[1])
            step, residual = shortest_step(units @ units.T, heights, np.abs(heights).max())
            assert residual <= 1e-10
            assert conditions(units, heights, step) <= 1e-10 * max(heights.max(), 1)
            lengths = rng.random(len(units))
            weights, residual = projection.project(units @ units.T, lengths[None])
            assert residual <= 1e-10
            assert conditions(units, -units @ (lengths @ units), weights[0] - lengths) <= 1e-10


def test_rows_opposite_but_for_the_roots_of_rounding_are_served_to_that():
    # 1e-8 from opposite is an eigenvalue of 1e-16: to keep both conditions to rounding takes m of 1e8
    rng = np.random.default_rng(3)
    for _ in range(50):
        units = rng.standard_normal((5, 9))
        units[1] = -units[0] + 1e-8 * rng.standard_normal(9)
        units = units_of(units)
        heights = -units @ rng.standard_normal(9)
        step, residual = shortest_step(units @ units.T, heights, np.abs(heights).max())
        assert residual < 1e-6
        assert conditions(units, heights, step) < 1e-6
