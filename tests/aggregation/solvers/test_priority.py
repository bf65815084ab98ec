import numpy as np
import pytest
from hostile import KINDS, problems
from numpy.testing import assert_allclose

from equipoise.aggregation.solvers.priority import nearest_to


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("tau", [0.0, 0.02, 0.5])
def test_the_direction_satisfies_its_optimality_conditions(kind, tau):
    # h_k . d >= tau |h_k|^2, d - h_p = sum_k m_k h_k, m >= 0, m_k (h_k . d - tau |h_k|^2) = 0, before it is scaled
    for rows, rng in problems(kind):
        gramian, primary = rows @ rows.T, int(rng.integers(len(rows)))
        weights, residual = nearest_to(primary, gramian, tau)
        # a contradiction of rows that are 1e-6 of the longest is told by a residual, not proved
        assert residual <= 1e-7 or residual == np.inf or "scaled" in kind
        if residual <= 1e-7 and weights[primary] > 0:
            units = weights / weights[primary]
            slack = gramian @ units - tau * gramian.diagonal()
            others = np.arange(len(rows)) != primary
            tolerance = 1e-9 * np.trace(gramian) * max(units.max(), 1)
            assert (units >= 0).all()
            assert slack[others].min() >= -tolerance
            assert np.abs(units * slack)[others].max() <= tolerance * max(units.max(), 1)
            # a long way to short rows cancels to some digits of the length
            cancelled = (weights @ np.linalg.norm(rows, axis=1)) ** 2 / (rows[primary] @ rows[primary])
            length = np.linalg.norm(weights @ rows) / np.linalg.norm(rows[primary])
            assert length == pytest.approx(1, abs=max(1e-9, 1e-14 * len(rows) * cancelled))


def test_two_rows_are_the_closed_form():
    # d = h_p + max(tau |h|^2 - h . h_p, 0) / |h|^2 h
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows = rng.standard_normal((2, 3)) * 10 ** rng.uniform(-3, 3, (2, 1))
        tau, square = rng.random(), rows[1] @ rows[1]
        direction = rows[0] + max(tau * square - rows[0] @ rows[1], 0) / square * rows[1]
        expected = direction * np.linalg.norm(rows[0]) / np.linalg.norm(direction)
        assert_allclose(nearest_to(0, rows @ rows.T, tau)[0] @ rows, expected, rtol=1e-9, atol=1e-12)


def test_at_tau_zero_there_is_always_a_direction_that_costs_nobody_else():
    for kind in KINDS:
        for rows, _ in problems(kind, seed=1):
            assert nearest_to(0, rows @ rows.T, 0.0)[1] <= 1e-7


def test_constraints_that_exclude_each_other_are_told():
    rows = np.array([[1.0, 2.0], [3.0, 0.0], [-1.0, 0.0]])
    weights, residual = nearest_to(0, rows @ rows.T, 0.1)
    assert residual == np.inf
    assert weights.tolist() == pytest.approx([1, 0, 0])


def test_a_zero_primary_has_no_direction_whatever_the_others_ask():
    rows = np.array([[0.0, 0.0], [3.0, 0.0], [-1.0, 0.0]])
    weights, residual = nearest_to(0, rows @ rows.T, 0.1)
    assert weights.tolist() == [0, 0, 0]
    assert residual == 0
