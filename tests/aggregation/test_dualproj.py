import pytest
import torch

from equipoise.aggregation.dualproj import DualProj
from equipoise.testing import check_method

F64 = torch.float64


def direction_of(method, rows):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64)) @ rows


def test_it_keeps_every_law():
    check_method(DualProj)


@pytest.mark.parametrize("k", [1, 2, 3, 8, 30])
def test_it_is_the_nearest_direction_to_the_mean_that_costs_no_task(k):
    # KKT of GEM's eq. (11): g_k . d >= 0, d - g_0 = sum_k m_k g_k, m >= 0, m_k g_k . d = 0
    generator = torch.Generator().manual_seed(k)
    for columns in (2, k + 3):
        for _ in range(10):
            rows = torch.randn(k, columns, generator=generator, dtype=F64)
            rows = rows - 0.9 * rows.mean(dim=0)  # near to cancelling, so that some bounds bind
            weights = DualProj()(rows @ rows.T, torch.ones(k, dtype=F64))
            served, multipliers = rows @ (weights @ rows), weights - 1 / k
            assert served.min() >= -1e-10
            assert multipliers.min() >= 0
            assert (multipliers * served).abs().max() <= 1e-10


def test_two_rows_by_hand():
    # g_0 = (-1, 1) conflicts with (1, 0), which takes its part: (0, 1)
    rows = torch.tensor([[1.0, 0.0], [-3.0, 2.0]], dtype=F64)
    weights = DualProj()(rows @ rows.T, torch.ones(2, dtype=F64))
    torch.testing.assert_close(weights, torch.tensor([1.5, 0.5], dtype=F64))
    torch.testing.assert_close(weights @ rows, torch.tensor([0.0, 1.0], dtype=F64))


def test_a_mean_that_costs_no_task_stays():
    rows = torch.tensor([[1.0, 0.1], [-0.5, 1.0], [0.2, 1.0]], dtype=F64)  # the first two conflict, the mean does not
    torch.testing.assert_close(direction_of(DualProj(), rows), rows.mean(dim=0))


def test_opposite_rows_leave_what_is_across_them():
    rows = torch.tensor([[1.0, 0.0], [-3.0, 0.0], [0.0, 3.0]], dtype=F64)
    method = DualProj()
    torch.testing.assert_close(direction_of(method, rows), torch.tensor([0.0, 1.0], dtype=F64))
    assert method.unsolved == 0


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_no_weight(scale):
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(1), dtype=F64)
    losses = torch.ones(6, dtype=F64)
    plain = DualProj()(rows @ rows.T, losses)
    torch.testing.assert_close(DualProj()(scale**2 * rows @ rows.T, losses), plain, rtol=1e-6, atol=1e-9)
