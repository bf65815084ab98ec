import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import least_squares

from equipoise.aggregation.solvers.min_norm import min_norm
from equipoise.aggregation.solvers.nash import nash as solve

SIZES = (1, 2, 3, 5, 8, 20, 40, 128)


def nash(gramian, preference):
    """alpha, and whether it solves the equations of all rows."""
    alpha, residual = solve(gramian, preference)
    assert residual <= 1e-12 or residual == np.inf
    return alpha, residual < np.inf


def rows_with_margin(k, margin, rng, columns=None):
    """Rows of lengths exp(-9 .. 9); a direction is at most ``margin`` from all unit rows."""
    columns = columns or k
    rows = rng.standard_normal((k, columns))
    towards = rng.standard_normal(columns)
    towards /= np.linalg.norm(towards)
    rows -= np.outer(rows @ towards, towards)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    rows += np.outer(margin * rng.uniform(1, 2, k), towards)
    return rows * np.exp(rng.uniform(-9, 9, (k, 1)))


def margin_of(gramian):
    norms = np.sqrt(gramian.diagonal())
    cosines = gramian / norms[:, None] / norms
    weights = min_norm(cosines)
    return np.sqrt(max(weights @ cosines @ weights, 0))


@pytest.mark.parametrize("k", SIZES)
@pytest.mark.parametrize("margin", [1.0, 1e-1, 1e-2, 1.5e-3])
def test_the_bargaining_equations_hold(k, margin):
    rng = np.random.default_rng(k)
    for columns in (k + 1, 3 * k, max(2, k // 2)):
        rows = rows_with_margin(k, margin, rng, columns)
        gramian = rows @ rows.T
        assert margin_of(gramian) > 1e-3
        alpha, solved = nash(gramian, np.ones(k))
        assert solved
        assert (alpha > 0).all()
        assert np.abs(alpha * (gramian @ alpha) - 1).max() <= 1e-9


@pytest.mark.parametrize("k", SIZES)
def test_the_bargaining_equations_hold_with_preferences(k):
    rng = np.random.default_rng(100 + k)
    rows = rows_with_margin(k, 1e-1, rng)
    gramian = rows @ rows.T
    preference = np.exp(rng.uniform(-6, 6, k))
    alpha, solved = nash(gramian, preference)
    assert solved
    assert (alpha > 0).all()
    assert_allclose(alpha * (gramian @ alpha), preference, rtol=1e-9)
    assert alpha @ gramian @ alpha == pytest.approx(preference.sum())  # the length of the step


@pytest.mark.parametrize("margin", [1e-4, 1e-5])
def test_near_the_edge_the_residual_is_bounded_by_the_conditioning(margin):
    rng = np.random.default_rng(11)
    for k in SIZES[1:]:
        rows = rows_with_margin(k, margin, rng, columns=max(2, k // 2))
        gramian = rows @ rows.T
        alpha, solved = nash(gramian, np.ones(k))
        assert solved
        bound = 20 * k * np.finfo(float).eps / margin_of(gramian) ** 2
        assert np.abs(alpha * (gramian @ alpha) - 1).max() <= bound


def test_two_rows_agree_with_the_closed_form():
    # alpha_k = 1 / (|g_k| sqrt(1 + cos))
    rng = np.random.default_rng(0)
    for _ in range(200):
        rows = rng.standard_normal((2, 3)) * np.exp(rng.uniform(-9, 9, (2, 1)))
        norms = np.linalg.norm(rows, axis=1)
        cosine = rows[0] @ rows[1] / norms.prod()
        alpha, solved = nash(rows @ rows.T, np.ones(2))
        assert solved
        assert_allclose(alpha, 1 / (norms * np.sqrt(1 + cosine)), rtol=1e-9)
        # preferences a hair apart take Newton's way instead
        assert_allclose(nash(rows @ rows.T, np.array([1.0, 1 + 1e-12]))[0], alpha, rtol=1e-8)


def test_orthogonal_rows_by_hand():
    # |g_k|^2 alpha_k^2 = p_k
    alpha, solved = nash(np.diag([4.0, 0.25, 1e-30]), np.array([1.0, 4.0, 9.0]))
    assert solved
    assert_allclose(alpha, [0.5, 4.0, 3e15])


def test_an_independent_solver_agrees():
    rng = np.random.default_rng(1)
    for k in (3, 5, 9):
        rows = rng.standard_normal((k, 2 * k)) + 0.5 * rng.standard_normal(2 * k)
        gramian, preference = rows @ rows.T, rng.uniform(0.3, 3, k)
        found = least_squares(
            lambda log, g=gramian, p=preference: np.exp(log) * (g @ np.exp(log)) / p - 1, np.zeros(k), xtol=1e-15
        )
        assert found.cost < 1e-20
        assert_allclose(nash(gramian, preference)[0], np.exp(found.x), rtol=1e-7)


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_of_the_gradients_divides_alpha(scale):
    rng = np.random.default_rng(2)
    for k in SIZES:
        rows = rows_with_margin(k, 0.1, rng)
        gramian, preference = rows @ rows.T, rng.uniform(0.5, 2, k)
        scaled, solved = nash(scale**2 * gramian, preference)
        assert solved
        assert_allclose(scaled * scale, nash(gramian, preference)[0], rtol=1e-9)


def test_the_scale_of_one_task_does_not_move_the_direction():
    rng = np.random.default_rng(3)
    rows = rows_with_margin(4, 0.3, rng)
    direction = nash(rows @ rows.T, np.ones(4))[0] @ rows
    rows[2] *= 1e6
    assert_allclose(nash(rows @ rows.T, np.ones(4))[0] @ rows, direction, rtol=1e-8)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e15])
@pytest.mark.parametrize("k", [2, 3, 4, 8, 20, 40])
def test_a_convex_combination_of_zero_is_recognised(k, scale):
    rng = np.random.default_rng(20 + k)
    for columns in (max(1, k // 3), k + 2, 50):
        rows = scale * rng.standard_normal((k, columns)) * np.exp(rng.uniform(-9, 9, (k, 1)))
        rows[-1] = -rng.uniform(0.1, 1, k - 1) @ rows[:-1]
        alpha, solved = nash(rows @ rows.T, np.ones(k))
        assert not solved
        assert (alpha >= 0).all()
        assert alpha.max() > 0
        lengths = alpha * np.linalg.norm(rows, axis=1)
        assert lengths.sum() == pytest.approx(1)  # a convex combination of unit rows
        assert np.linalg.norm(alpha @ rows) < 1e-6


def test_one_pair_of_opposite_rows_among_others_leaves_nothing_to_bargain_for():
    rows = np.array([[1.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 5.0, 0.0]])
    alpha, solved = nash(rows @ rows.T, np.ones(3))
    assert not solved
    assert_allclose(alpha, [0.5, 0.5 / 3, 0], atol=1e-12)


def test_a_zero_row_is_told_and_the_others_bargain_without_it():
    rows = np.random.default_rng(4).standard_normal((4, 9))
    rows[1] = 0
    preference = np.array([1.0, 2.0, 3.0, 4.0])
    alpha, solved = nash(rows @ rows.T, preference)
    rest = [0, 2, 3]
    assert not solved
    assert alpha[1] == 1
    assert_allclose(alpha[rest], nash(rows[rest] @ rows[rest].T, preference[rest])[0])


def test_all_rows_zero():
    alpha, solved = nash(np.zeros((3, 3)), np.ones(3))
    assert not solved
    assert_allclose(alpha, np.ones(3))
