import numpy as np
import pytest
import torch

from equipoise.aggregation.config import ConFIG
from equipoise.aggregation.dcgd import DCGD
from equipoise.testing import check_method

F64 = torch.float64


def rows_of(k, columns, rng, spread=0.0):
    return torch.from_numpy(rng.standard_normal((k, columns)) * np.exp(rng.uniform(-spread, spread, (k, 1))))


def direction_of(rows, method=None, weights=None):
    method = method or ConFIG()
    if weights is not None:
        method.prefer(torch.tensor(weights, dtype=F64))
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64)) @ rows


def naive(rows, weights):
    """On the rows: u = normalised pinv of the unit rows times the weights; d = (sum g . u) u."""
    along = torch.linalg.pinv(rows / rows.norm(dim=1, keepdim=True)) @ weights
    unit = along / along.norm()
    return (rows @ unit).sum() * unit


def test_the_laws_hold():
    check_method(ConFIG)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 9, 20])
def test_it_is_the_formula_on_rows(k):
    rng = np.random.default_rng(k)
    for columns in (3 * k, max(2, k // 2)):
        for spread in (0.0, 7.0):
            rows = rows_of(k, columns, rng, spread)
            expected = naive(rows, torch.ones(k, dtype=F64))
            torch.testing.assert_close(direction_of(rows), expected, rtol=1e-6, atol=1e-6 * float(expected.norm()))


def test_all_cosines_are_equal_and_none_conflicts():
    rng, method = np.random.default_rng(0), ConFIG()
    for k in (2, 4, 8):
        rows = rows_of(k, 20, rng, 9.0)
        direction = direction_of(rows, method)
        cosines = rows @ direction / rows.norm(dim=1) / direction.norm()
        torch.testing.assert_close(cosines, cosines.mean().expand(k), rtol=1e-7, atol=0)
        assert cosines.min() > 0
        # its length is the sum of what the gradients have along it
        assert direction.norm() == pytest.approx(float((rows @ direction).sum() / direction.norm()))
    assert method.unsolved == 0


def test_a_users_weight_multiplies_the_cosine_and_not_the_gradient():
    raw, power = rows_of(3, 8, np.random.default_rng(1)), [1.0, 2.0, 0.5]
    weights = torch.tensor(power, dtype=F64)
    direction = direction_of(weights[:, None] * raw, weights=power)  # as the losses are shown
    torch.testing.assert_close(direction, naive(raw, weights))
    cosines = raw @ direction / raw.norm(dim=1)
    torch.testing.assert_close(cosines / cosines[0], weights)


def test_two_tasks_are_those_of_dcgd():
    rng = np.random.default_rng(2)
    for _ in range(50):
        rows = rows_of(2, 4, rng, 5.0)
        expected = DCGD()(rows @ rows.T, torch.ones(2, dtype=F64)) @ rows
        torch.testing.assert_close(direction_of(rows), expected, rtol=1e-7, atol=1e-9 * float(expected.norm()))


def test_opposite_gradients_leave_no_direction():
    method = ConFIG()
    rows = torch.tensor([[1.0, 2.0], [-3.0, -6.0]], dtype=F64)
    assert direction_of(rows, method).norm() < 1e-12
    assert method.unsolved == 1


def test_a_zero_gradient_is_left_out_counted_and_keeps_weight_one():
    method = ConFIG()
    rows = torch.tensor([[3.0, 0.0, 1.0], [0.0, 0.0, 0.0], [0.0, 2.0, 1.0]], dtype=F64)
    weights = method(rows @ rows.T, torch.ones(3, dtype=F64))
    assert weights[1] == 1
    assert method.unsolved == 1
    torch.testing.assert_close(weights @ rows, naive(rows[[0, 2]], torch.ones(2, dtype=F64)))
    assert ConFIG()(torch.zeros(2, 2, dtype=F64), torch.ones(2, dtype=F64)).tolist() == [1.0, 1.0]
