import numpy as np
import pytest
from numpy.testing import assert_allclose

from equipoise.aggregation.solvers.equiangular import equiangular

SIZES = (1, 2, 3, 5, 8, 20, 40, 128)


@pytest.mark.parametrize("k", SIZES)
def test_every_unit_row_has_its_product_with_the_combination(k):
    rng = np.random.default_rng(k)
    for _ in range(10):
        rows = rng.standard_normal((k, 2 * k + 1)) * np.exp(rng.uniform(-9, 9, (k, 1)))
        products = rng.uniform(0.3, 3, k)
        shares, solved = equiangular(rows @ rows.T, products)
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        assert solved
        assert_allclose(units @ (shares @ units), products, rtol=1e-9)


def test_the_combination_is_that_of_the_pseudo_inverse_of_the_unit_rows():
    rng = np.random.default_rng(0)
    for k, columns in ((3, 2), (6, 4), (20, 7)):
        rows = rng.standard_normal((k, columns)) * np.exp(rng.uniform(-9, 9, (k, 1)))
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        products = rng.uniform(0.3, 3, k)
        shares, _ = equiangular(rows @ rows.T, products)
        assert_allclose(shares @ units, np.linalg.pinv(units) @ products, atol=1e-9)


def test_it_has_the_least_norm_of_all_that_combine_to_the_same():
    rows = np.random.default_rng(1).standard_normal((3, 6))[[0, 0, 1, 2]] * np.array([[1.0], [5.0], [1.0], [1.0]])
    shares, solved = equiangular(rows @ rows.T, np.ones(4))
    assert solved
    assert shares[0] == pytest.approx(shares[1])  # one direction twice: they share alike, whatever their lengths
    once, _ = equiangular(rows[[0, 2, 3]] @ rows[[0, 2, 3]].T, np.ones(3))
    assert_allclose([shares[0] + shares[1], *shares[2:]], once, rtol=1e-9)


@pytest.mark.parametrize(
    "rows",
    [
        [[1.0, 0.0], [-3.0, 0.0]],  # opposite
        [[1.0, 0.0], [0.0, 2.0], [-1.0, -1.0]],  # zero is a convex combination
        [[1.0, 0.0], [0.5, 0.75**0.5], [-0.5, 0.75**0.5]],  # an affine one: 1 - 1 + 1
        [[1.0, 0.0], [0.0, 0.0]],
    ],
)
def test_equations_without_a_solution_are_told(rows):
    rows = np.array(rows)
    shares, solved = equiangular(rows @ rows.T, np.ones(len(rows)))
    assert not solved
    assert np.isfinite(shares).all()


@pytest.mark.parametrize("angle", [1e-2, 1e-4, 1e-6])
def test_nearly_parallel_rows_are_two_rows(angle):
    # u_1 and u_2 at +- angle / 2 from the first axis, u_3 along the second: d = (1 / cos(angle / 2), 0, 1) by symmetry
    half = angle / 2
    rows = np.array([[np.cos(half), np.sin(half), 0], [np.cos(half), -np.sin(half), 0], [0, 0, 1.0]])
    uneven = np.array([1 + angle, 1.0, 1.0])  # d . u_1 - d . u_2 = angle: d has 1 / (2 cos(0)) along the second axis
    shares, solved = equiangular(rows @ rows.T, uneven)
    assert solved
    assert_allclose(shares @ rows, np.linalg.solve(rows, uneven), rtol=1e-3)


def test_a_zero_row_is_left_out():
    rows = np.random.default_rng(2).standard_normal((3, 5))
    rows[1] = 0
    shares, solved = equiangular(rows @ rows.T, np.ones(3))
    assert not solved
    assert shares[1] == 0
    assert_allclose(shares[[0, 2]], equiangular(rows[[0, 2]] @ rows[[0, 2]].T, np.ones(2))[0])
    shares, solved = equiangular(np.zeros((3, 3)), np.ones(3))
    assert (shares == 0).all()
    assert not solved


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_no_scale_matters(scale):
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((5, 9))
    expected, _ = equiangular(rows @ rows.T, np.ones(5))
    for factors in (scale, np.array([[scale], [1.0], [1.0], [1.0], [1.0]])):
        assert_allclose(equiangular((factors * rows) @ (factors * rows).T, np.ones(5))[0], expected, rtol=1e-9)
