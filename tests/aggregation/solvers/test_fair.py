import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import least_squares

from equipoise.aggregation.solvers.fair import fair
from equipoise.aggregation.solvers.nash import nash

ALPHAS = (0.1, 0.5, 1.0, 2.0, 10.0)
SIZES = (1, 2, 3, 5, 10, 40, 128)


def error_of(rows, alpha, weights, preference):
    """Of G w = (p / w)^(1 / alpha), relative to the largest term of each equation."""
    terms = (rows @ rows.T) * weights
    return (np.abs(terms.sum(axis=1) - (preference / weights) ** (1 / alpha)) / np.abs(terms).max(axis=1)).max()


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("spread", [0, 3])
def test_the_equations_hold(alpha, spread):
    rng = np.random.default_rng(0)
    for k in SIZES:
        for _ in range(8 if k <= 10 else 1):
            rows = rng.standard_normal((k, 3 * k)) * np.exp(rng.uniform(-spread, spread, (k, 1)))
            preference = np.exp(rng.uniform(-1, 1, k))
            weights, residual = fair(rows @ rows.T, alpha, preference)
            assert residual <= 1e-10
            assert (weights > 0).all()
            assert error_of(rows, alpha, weights, preference) <= 1e-9


@pytest.mark.parametrize("alpha", [0.002, 100.0])
def test_the_equations_hold_at_the_ends(alpha):
    rng = np.random.default_rng(8)
    for k in SIZES[:-2]:
        for _ in range(10):
            rows = rng.standard_normal((k, 3 * k))
            weights, residual = fair(rows @ rows.T, alpha, np.ones(k))
            assert residual <= 1e-10
            assert error_of(rows, alpha, weights, np.ones(k)) <= 1e-8


@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
def test_the_equations_hold_for_norms_from_1e_9_to_1e9(alpha):
    rng = np.random.default_rng(1)
    for k in SIZES:
        for _ in range(8 if k <= 10 else 1):
            rows = rng.standard_normal((k, 3 * k)) * 10 ** rng.uniform(-9, 9, (k, 1))
            weights, residual = fair(rows @ rows.T, alpha, np.ones(k))
            assert residual <= 1e-10
            assert error_of(rows, alpha, weights, np.ones(k)) <= 1e-8


def test_small_remaining_errors_are_removed_too():
    # steps with a fall below rounding must not come to nothing
    rng = np.random.default_rng(9)
    for _ in range(300):
        rows = rng.standard_normal((3, 9)) * 10 ** rng.uniform(-9, 9, (3, 1))
        assert fair(rows @ rows.T, 2.0, np.ones(3))[1] <= 1e-12


@pytest.mark.parametrize("k", SIZES)
def test_alpha_one_is_nashs_bargain(k):
    rng = np.random.default_rng(2)
    rows = rng.standard_normal((k, 3 * k)) * 10 ** rng.uniform(-3, 3, (k, 1))
    preference = rng.uniform(0.3, 3, k)
    expected, _ = nash(rows @ rows.T, preference)
    assert_allclose(fair(rows @ rows.T, 1.0, preference)[0], expected, rtol=1e-9)
    assert_allclose(fair(rows @ rows.T, 1.0, np.ones(k))[0], nash(rows @ rows.T, np.ones(k))[0], rtol=1e-9)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_orthogonal_rows_by_hand(alpha):
    # n^2 w = (p / w)^(1 / alpha): w = (p n^(-2 alpha))^(1 / (1 + alpha))
    norms, preference = np.array([3.0, 1e-6, 1e5]), np.array([1.0, 2.0, 0.1])
    weights, residual = fair(np.diag(norms**2), alpha, preference)
    assert residual < 1e-12
    assert_allclose(weights, (preference * norms ** (-2 * alpha)) ** (1 / (1 + alpha)), rtol=1e-12)


def test_an_independent_solver_agrees():
    rng = np.random.default_rng(3)
    for k in (2, 3, 6):
        for alpha in (0.5, 2.0, 4.0):
            rows = rng.standard_normal((k, 2 * k)) + 0.5 * rng.standard_normal(2 * k)
            gramian = rows @ rows.T
            found = least_squares(
                lambda log, g=gramian, a=alpha: np.log(np.maximum(g @ np.exp(log), 1e-300)) + log / a,
                np.log(fair(gramian, alpha, np.ones(k))[0]) + 0.3,
                xtol=1e-15,
                gtol=1e-15,
            )
            assert found.cost < 1e-16
            assert_allclose(fair(gramian, alpha, np.ones(k))[0], np.exp(found.x), rtol=1e-6)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_common_scale_changes_the_weights_by_its_power(alpha, scale):
    rng = np.random.default_rng(4)
    for k in (2, 3, 10):
        rows = rng.standard_normal((k, 3 * k))
        plain = fair(rows @ rows.T, alpha, np.ones(k))[0]
        scaled = fair(scale**2 * rows @ rows.T, alpha, np.ones(k))[0]
        assert_allclose(scaled, plain * scale ** (-2 * alpha / (1 + alpha)), rtol=1e-8)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_rows_that_cancel_are_told_and_their_step_is_short(alpha):
    rng = np.random.default_rng(5)
    for k in (2, 3, 10, 40):
        rows = rng.standard_normal((k, 2 * k))
        rows[-1] = -rng.uniform(0.1, 1, k - 1) @ rows[:-1]
        weights, residual = fair(rows @ rows.T, alpha, np.ones(k))
        assert residual == np.inf
        assert (weights >= 0).all()
        assert np.linalg.norm(weights @ rows) < 1e-6
        assert weights @ np.linalg.norm(rows, axis=1) == pytest.approx(1)


def test_a_zero_row_is_told_and_the_others_share_without_it():
    rows = np.random.default_rng(6).standard_normal((4, 9))
    rows[1] = 0
    rest = [0, 2, 3]
    weights, residual = fair(rows @ rows.T, 2.0, np.arange(1.0, 5.0))
    assert residual == np.inf
    assert weights[1] == 1
    assert_allclose(weights[rest], fair(rows[rest] @ rows[rest].T, 2.0, np.array([1.0, 3.0, 4.0]))[0])
    assert fair(np.zeros((2, 2)), 2.0, np.ones(2))[0].tolist() == [1, 1]


def test_what_no_float_can_hold_is_told():
    rows = np.random.default_rng(7).standard_normal((5, 20)) + 1
    rows *= 10 ** np.arange(-8.0, 9.0, 4)[:, None]
    weights, residual = fair(rows @ rows.T, 100.0, np.ones(5))
    assert residual > 1e-6
    assert np.isfinite(weights).all()
