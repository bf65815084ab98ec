import numpy as np
import pytest
import torch

from equipoise.aggregation.imtl_g import IMTLG
from equipoise.testing import check_method

F64 = torch.float64


def rows_of(k, columns, rng, spread=0.0):
    rows = rng.standard_normal((k, columns)) + 0.4 * rng.standard_normal(columns)
    return torch.from_numpy(rows * np.exp(rng.uniform(-spread, spread, (k, 1))))


def weights_of(rows, method=None):
    return (method or IMTLG())(rows @ rows.T, torch.ones(len(rows), dtype=F64))


def projections(rows, direction):
    return rows @ direction / rows.norm(dim=1)


def closed_form(rows):
    """The paper's: alpha_2..K = g_1 U^T (D U^T)^-1 with D = g_1 - g_k and U = u_1 - u_k; alpha_1 = 1 - sum."""
    units = rows / rows.norm(dim=1, keepdim=True)
    differences, angles = rows[0] - rows[1:], units[0] - units[1:]
    rest = rows[0] @ angles.T @ torch.linalg.inv(differences @ angles.T)
    return torch.cat([1 - rest.sum()[None], rest])


def test_the_laws_hold():
    check_method(IMTLG)


@pytest.mark.parametrize("k", [2, 3, 5, 8, 20])
def test_all_projections_are_equal_and_the_weights_sum_to_one(k):
    rng = np.random.default_rng(k)
    for spread in (0.0, 9.0):
        for _ in range(20):
            rows, method = rows_of(k, 3 * k, rng, spread), IMTLG()
            weights = weights_of(rows, method)
            if method.unsolved == 0:
                assert weights.sum() == pytest.approx(1, abs=1e-9 * float(weights.abs().sum()))
                gains = projections(rows, weights @ rows)
                assert gains.min() > 0
                torch.testing.assert_close(gains, gains.mean().expand(k), rtol=1e-7, atol=0)


def test_they_are_those_of_the_papers_closed_form():
    rng = np.random.default_rng(0)
    compared = 0
    for k in (2, 3, 5, 9):
        for _ in range(20):
            rows, method = rows_of(k, 2 * k, rng, 1.0), IMTLG()
            weights, expected = weights_of(rows, method), closed_form(rows)
            if method.unsolved == 0:
                torch.testing.assert_close(weights, expected, rtol=1e-6, atol=1e-6 * float(expected.abs().max()))
                compared += 1
    assert compared > 60


def test_where_the_paper_would_climb_the_step_descends_and_is_counted():
    rng, climbs = np.random.default_rng(1), 0
    for _ in range(1000):
        rows, method = rows_of(4, 9, rng, 2.0), IMTLG()
        direction = weights_of(rows, method) @ rows
        papers = closed_form(rows) @ rows
        is_climb = bool((rows @ papers < 0).all())
        assert method.unsolved == is_climb
        assert (rows @ direction > 0).all()
        if is_climb:
            climbs += 1
            gains = projections(rows, direction)
            torch.testing.assert_close(gains, gains.mean().expand(4))  # the same line, downhill
            assert direction @ papers < 0
    assert climbs > 5


def test_weights_of_sum_zero_are_recognised():
    # where C⁻¹1 has entries of both signs, there is a length of the second gradient with sum_k (C⁻¹1)_k / |g_k| = 0
    cosine = torch.tensor([[1.0, 0.8, 0.0], [0.8, 1.0, 0.6 * 0.9], [0.0, 0.6 * 0.9, 1.0]], dtype=F64)
    shares = torch.linalg.solve(cosine, torch.ones(3, dtype=F64))
    assert shares[1] < 0 < shares[0]
    norms = torch.ones(3, dtype=F64)
    norms[1] = -shares[1] / (shares[0] + shares[2])
    method = IMTLG()
    weights = method(cosine * norms * norms[:, None], torch.ones(3, dtype=F64))
    assert method.unsolved == 1
    assert weights.abs().sum() == pytest.approx(1)
    assert abs(weights.sum()) < 1e-12


def test_two_rows_go_along_the_bisector_in_a_convex_combination():
    rng = np.random.default_rng(2)
    for _ in range(50):
        rows = rows_of(2, 5, rng, 5.0)
        weights = weights_of(rows)
        # w_k ~ 1 / |g_k|
        torch.testing.assert_close(weights, rows.norm(dim=1).flip(0) / rows.norm(dim=1).sum())


def test_the_scale_of_a_loss_and_a_second_copy_of_a_task_leave_the_direction():
    rows = rows_of(4, 9, np.random.default_rng(3))
    direction = weights_of(rows) @ rows
    other = rows.clone()
    other[2] *= 1e9
    scaled = weights_of(other) @ other
    assert scaled @ direction / scaled.norm() / direction.norm() == pytest.approx(1, abs=1e-9)
    double = rows[[0, 1, 2, 3, 1]]
    torch.testing.assert_close(weights_of(double) @ double, direction)


def test_what_has_no_solution_is_counted():
    method = IMTLG()
    for count, rows in enumerate(([[1.0, 2.0], [-3.0, -6.0]], [[1.0, 0.0], [0.0, 2.0], [-3.0, -3.0]]), start=1):
        rows = torch.tensor(rows, dtype=F64)
        assert weights_of(rows, method).isfinite().all()
        assert method.unsolved == count
    weights = weights_of(torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=F64), method)
    assert weights.tolist() == [1.0, 1.0]  # one task alone, and one that moves nothing
    assert method.unsolved == 3
