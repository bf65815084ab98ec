from unittest.mock import patch

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import nnls

import equipoise.aggregation.solvers.min_norm as solver
from equipoise.aggregation.solvers.min_norm import min_norm

SIZES = (2, 3, 5, 8, 20, 40, 128)


def rows_of(kind, k, rng):
    rank = max(1, k // 4) if "rank" in kind else 3 * k
    rows = rng.standard_normal((k, rank))
    if "duplicated" in kind:
        rows = rows[rng.integers(0, max(1, k // 2), k)]
    if "nearly" in kind:
        rows = rows + 1e-8 * rng.standard_normal(rows.shape)
    if "opposite" in kind:
        rows[k // 2 : 2 * (k // 2)] = -rows[: k // 2] * rng.exponential(size=(k // 2, 1))
    if "centred" in kind:
        rows = rows - rows.mean(axis=0)
    if "aligned" in kind:
        rows = rows + 2 * rng.standard_normal(rank)
    if "scaled" in kind:
        rows = rows * np.exp(rng.uniform(-9, 9, (k, 1)))
    if "equal" in kind:
        rows = np.repeat(rows[:1], k, axis=0)
    return rows


KINDS = (
    "generic",
    "aligned",
    "low rank",
    "duplicated",
    "duplicated nearly",
    "duplicated nearly opposite",
    "opposite",
    "centred",
    "scaled",
    "scaled low rank",
    "equal",
)


@pytest.mark.parametrize("kind", KINDS)
def test_no_row_is_steeper_than_the_point_of_least_norm(kind):
    rng = np.random.default_rng(KINDS.index(kind))
    for k in (1, *SIZES):
        for _ in range(8 if k <= 20 else 2):
            rows = rows_of(kind, k, rng)
            gramian = rows @ rows.T
            weights = min_norm(gramian)
            slopes = gramian @ weights
            assert (weights >= 0).all()
            assert weights.sum() == pytest.approx(1, abs=1e-14)
            assert weights @ slopes - slopes.min() <= 1e-12 * np.trace(gramian)


@pytest.mark.parametrize("kind", ["scaled", "scaled low rank"])
def test_short_rows_are_solved_as_well_as_long_ones(kind):
    # the duality gap of each row in the units of that row and of the point, not of the longest row
    rng = np.random.default_rng(7)
    for k in SIZES:
        rows = rows_of(kind, k, rng)
        gramian = rows @ rows.T
        weights = min_norm(gramian)
        slopes, norms = gramian @ weights, np.sqrt(gramian.diagonal())
        reach = norms @ weights
        assert ((weights @ slopes - slopes) / (norms + reach) <= 1e-13 * reach).all()


@pytest.mark.parametrize("kind", ["generic", "aligned", "low rank", "scaled", "opposite"])
def test_independent_rows_need_no_second_attempt(kind):
    rng = np.random.default_rng(8)
    with patch.object(solver, "_affine_by_rows") as second:
        for k in SIZES:
            rows = rows_of(kind, k, rng)
            min_norm(rows @ rows.T)
    second.assert_not_called()


def test_two_rows_agree_with_the_closed_form():
    # Sener & Koltun, algorithm 1: gamma = clip((g2 - g1) . g2 / |g1 - g2|^2, 0, 1)
    rng = np.random.default_rng(0)
    for _ in range(200):
        first, second = rng.standard_normal((2, 3)) * np.exp(rng.uniform(-3, 3, (2, 1)))
        gamma = np.clip((second - first) @ second / ((first - second) @ (first - second)), 0, 1)
        rows = np.stack([first, second])
        assert_allclose(min_norm(rows @ rows.T), [gamma, 1 - gamma], atol=1e-12)


def test_hand_derived_values():
    # on orthogonal rows w_k |g_k|^2 is the same for all: 1, 4 and 9 give 36 : 9 : 4
    assert_allclose(min_norm(np.diag([1.0, 4.0, 9.0])), np.array([36, 9, 4]) / 49, rtol=1e-14)
    # rows (1, 0), (1, 2), (3, 1): the first is the nearest point, and both others lie behind it
    rows = np.array([[1.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    assert_allclose(min_norm(rows @ rows.T), [1, 0, 0], atol=1e-15)
    # rows (1, -1), (1, 1), (5, 0): the middle of the first two
    rows = np.array([[1.0, -1.0], [1.0, 1.0], [5.0, 0.0]])
    assert_allclose(min_norm(rows @ rows.T), [0.5, 0.5, 0], atol=1e-15)


@pytest.mark.parametrize("kind", ["generic", "aligned", "low rank", "opposite"])
def test_the_point_agrees_with_nonnegative_least_squares(kind):
    # min |w @ rows| on the simplex is, up to scale, min |(1, rows)^T u - e_0| over u >= 0
    rng = np.random.default_rng(1)
    for k in (3, 6, 12, 30):
        rows = rows_of(kind, k, rng)
        solution, _ = nnls(np.column_stack([np.ones(k), rows]).T, np.eye(rows.shape[1] + 1)[0])
        expected = solution / solution.sum() @ rows
        assert_allclose(min_norm(rows @ rows.T) @ rows, expected, atol=1e-7)


@pytest.mark.parametrize("zeros", [[0], [1, 3], [0, 1, 2, 3]])
def test_zero_rows_share_the_weight(zeros):
    rows = np.random.default_rng(2).standard_normal((4, 9))
    rows[zeros] = 0
    expected = np.zeros(4)
    expected[zeros] = 1 / len(zeros)
    assert_allclose(min_norm(rows @ rows.T), expected)


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_nothing(scale):
    rng = np.random.default_rng(3)
    for k in SIZES:
        rows = rows_of("generic", k, rng)
        gramian = rows @ rows.T
        assert_allclose(min_norm(scale**2 * gramian), min_norm(gramian), rtol=1e-9, atol=1e-13)


def test_the_point_does_not_depend_on_the_order_of_the_rows():
    rng = np.random.default_rng(4)
    for kind in KINDS:
        rows = rows_of(kind, 12, rng)
        order = rng.permutation(12)
        point = min_norm(rows @ rows.T) @ rows
        permuted = min_norm(rows[order] @ rows[order].T) @ rows[order]
        # where the hull holds zero, weights of 1e-16 are all that is left of the point
        assert_allclose(permuted, point, atol=1e-7 * np.abs(rows).max())


def test_the_gramian_is_left_alone():
    gramian = np.cov(np.random.default_rng(5).standard_normal((5, 20)))
    before = gramian.copy()
    min_norm(gramian)
    assert (gramian == before).all()
