import numpy as np
import pytest
from hostile import KINDS, problems
from numpy.testing import assert_allclose
from scipy.optimize import nnls

from equipoise.aggregation.solvers.dual_cone import project


@pytest.mark.parametrize("kind", KINDS)
def test_each_projection_satisfies_its_optimality_conditions(kind):
    # w >= u, G w >= 0, (w - u) . G w = 0: Quinton & Rey, proposition 1
    for rows, _ in problems(kind):
        gramian, start = rows @ rows.T, np.eye(len(rows)) / len(rows)
        trace = np.trace(gramian)
        weights, residual = project(gramian, start)
        served = weights @ gramian
        assert residual <= 1e-10
        assert (weights >= start).all()
        assert served.min() >= -1e-10 * trace
        assert np.abs((weights - start) * served).max() <= 1e-10 * trace


@pytest.mark.parametrize(
    "kind", ["generic", "aligned", "low rank", "duplicated", "opposite", "centred", "zero low rank"]
)
def test_the_projection_is_that_of_nonnegative_least_squares(kind):
    # x + J^T m with m = argmin over m >= 0 of |J^T m + x|
    for rows, rng in problems(kind, seed=1):
        if len(rows) <= 40:
            start = rng.random((3, len(rows)))
            weights, _ = project(rows @ rows.T, start)
            expected = [u @ rows + nnls(rows.T, -u @ rows, maxiter=10_000)[0] @ rows for u in start]
            assert_allclose(weights @ rows, expected, atol=1e-7 * np.abs(rows).max() * len(rows))


def test_two_rows_by_hand():
    # g = (1, 0), h = (-1, 3): g + h / 10 is across h, h + g across g
    weights, residual = project(np.array([[1.0, -1.0], [-1.0, 10.0]]), np.eye(2))
    assert_allclose(weights, [[1, 0.1], [1, 1]])
    assert residual == 0
    assert_allclose(project(np.array([[1.0, -1.0], [-1.0, 10.0]]), np.array([[1.0, 0.05]]))[0], [[1.0, 0.1]])


def test_two_rows_agree_with_the_general_solution():
    rng = np.random.default_rng(0)
    for _ in range(100):
        rows = rng.standard_normal((2, 3)) * 10 ** rng.uniform(-9, 9, (2, 1))
        start = rng.random((4, 2))
        tripled = np.vstack([rows, np.zeros(3)])  # a zero row bounds nothing, and makes three
        expected, _ = project(tripled @ tripled.T, np.column_stack([start, np.zeros(4)]))
        assert_allclose(project(rows @ rows.T, start)[0], expected[:, :2], rtol=1e-9)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_a_common_scale_changes_nothing(scale):
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((9, 20))
    weights = project(rows @ rows.T, np.eye(9))[0]
    assert_allclose(project(scale**2 * rows @ rows.T, np.eye(9))[0], weights, rtol=1e-9, atol=1e-12)


def test_the_input_is_left_alone_and_not_handed_back():
    gramian, start = np.eye(3), np.eye(3)
    weights, _ = project(gramian, start)
    assert weights is not start
    assert (gramian == np.eye(3)).all()
