import numpy as np
import pytest
from numpy.testing import assert_allclose

from equipoise.aggregation.solvers.alignment import alignment

SCALES = {
    "min": lambda s: s.min(),
    "median": lambda s: np.sort(s)[(len(s) - 1) // 2],
    "rmse": lambda s: np.sqrt((s**2).mean()),
}


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("k", [1, 2, 3, 4, 8, 20, 40])
def test_the_aligned_rows_have_one_singular_value(k, scale):
    # B G B = s^2 I, and s is what it is of the singular values of the rows
    rng = np.random.default_rng(k)
    rows = rng.standard_normal((k, 2 * k)) * np.exp(rng.uniform(-2, 2, (k, 1)))
    matrix, solved = alignment(rows @ rows.T, scale)
    assert solved
    assert_allclose(matrix, matrix.T, atol=1e-12 * np.abs(matrix).max())
    expected = SCALES[scale](np.linalg.svd(rows, compute_uv=False))
    assert_allclose(np.linalg.svd(matrix @ rows, compute_uv=False), expected, rtol=1e-8)


@pytest.mark.parametrize("scale", SCALES)
def test_dependent_rows_are_aligned_in_their_span(scale):
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((6, 3)) @ rng.standard_normal((3, 9)) * np.exp(rng.uniform(-5, 5, (6, 1)))
    matrix, solved = alignment(rows @ rows.T, scale)
    assert solved
    singular = np.linalg.svd(rows, compute_uv=False)[:3]
    aligned = np.linalg.svd(matrix @ rows, compute_uv=False)
    assert_allclose(aligned[:3], SCALES[scale](singular), rtol=1e-6)
    assert_allclose(aligned[3:], 0, atol=1e-6 * aligned[0])


def test_of_all_aligned_rows_they_are_the_nearest():
    # the orthogonal Procrustes problem: min |B J - s Q| over Q of orthonormal rows is at Q = V U^T
    rng = np.random.default_rng(1)
    rows = rng.standard_normal((4, 7))
    matrix, _ = alignment(rows @ rows.T, "min")
    left, singular, right = np.linalg.svd(rows, full_matrices=False)
    assert_allclose(matrix @ rows, singular.min() * left @ right, atol=1e-12)


def test_a_small_task_is_a_task_and_not_rounding():
    # singular values 1 and 1e-12: squared, the gramian's own eigenvalues would have lost the second
    matrix, solved = alignment(np.diag([1.0, 1e-24]), "min")
    assert solved
    assert_allclose(matrix, np.diag([1e-12, 1.0]))


def test_singular_values_that_rounding_hides_are_told():
    rows = np.diag([1.0, 1e-20]) @ np.array([[1.0, 0.0], [0.6, 0.8]])
    matrix, solved = alignment(rows @ rows.T, "min")
    assert not solved
    assert np.isfinite(matrix).all()


def test_nothing_is_aligned_where_all_rows_are_zero():
    matrix, solved = alignment(np.zeros((3, 3)), "rmse")
    assert solved
    assert (matrix == 0).all()


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("factor", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_nothing(factor, scale):
    rows = np.random.default_rng(2).standard_normal((5, 8))
    expected = alignment(rows @ rows.T, scale)[0]
    assert_allclose(alignment(factor**2 * rows @ rows.T, scale)[0], expected, rtol=1e-9, atol=1e-12)
