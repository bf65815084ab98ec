import pytest
import torch
from scipy.optimize import nnls

from equipoise.aggregation.pcgrad import PCGrad
from equipoise.aggregation.upgrad import UPGrad
from equipoise.testing import check_method

F64 = torch.float64


def direction_of(method, rows):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64)) @ rows


def test_it_keeps_every_law():
    check_method(UPGrad)


@pytest.mark.parametrize("k", [1, 2, 3, 8, 20])
def test_it_is_the_mean_of_the_projections_of_the_rows(k):
    # P(x) = x + J^T m, m = argmin over m >= 0 of |x + J^T m|
    generator = torch.Generator().manual_seed(k)
    for columns in (2, k + 3):
        rows = torch.randn(k, columns, generator=generator, dtype=F64)
        projections = [row + torch.from_numpy(nnls(rows.T.numpy(), -row.numpy())[0]) @ rows for row in rows]
        expected = torch.stack(projections).mean(dim=0)
        torch.testing.assert_close(direction_of(UPGrad(), rows), expected, atol=1e-8, rtol=0)


def test_two_rows_are_half_of_pcgrads():
    generator = torch.Generator().manual_seed(0)
    for _ in range(100):
        rows = torch.randn(2, 3, generator=generator, dtype=F64)
        torch.testing.assert_close(2 * direction_of(UPGrad(), rows), direction_of(PCGrad(), rows))


def test_it_conflicts_with_no_task():
    generator = torch.Generator().manual_seed(1)
    for k in (3, 6, 30):
        for columns in (2, 2 * k):
            rows = torch.randn(k, columns, generator=generator, dtype=F64)
            assert (rows @ direction_of(UPGrad(), rows)).min() >= -1e-10


def test_it_is_linear_in_the_scales_of_the_losses():
    generator = torch.Generator().manual_seed(2)
    rows = torch.randn(5, 8, generator=generator, dtype=F64)
    first, second = torch.rand(2, 5, 1, generator=generator, dtype=F64)
    together = direction_of(UPGrad(), (2 * first + 3 * second) * rows)
    apart = 2 * direction_of(UPGrad(), first * rows) + 3 * direction_of(UPGrad(), second * rows)
    torch.testing.assert_close(together, apart)


def test_a_task_that_is_said_twice_in_halves_changes_nothing():
    rows = torch.randn(4, 6, generator=torch.Generator().manual_seed(3), dtype=F64)
    halves = torch.cat([rows[:3], rows[3:] / 2, rows[3:] / 2])
    torch.testing.assert_close(5 * direction_of(UPGrad(), halves), 4 * direction_of(UPGrad(), rows))


def test_without_conflict_it_is_the_mean():
    rows = torch.rand(5, 8, generator=torch.Generator().manual_seed(4), dtype=F64)
    assert UPGrad()(rows @ rows.T, torch.ones(5, dtype=F64)).tolist() == pytest.approx([0.2] * 5)


def test_opposite_rows_cancel():
    rows = torch.tensor([[1.0, 2.0], [-3.0, -6.0], [2.0, -1.0]], dtype=F64)
    method = UPGrad()
    torch.testing.assert_close(direction_of(method, rows), rows[2] / 3)
    assert method.unsolved == 0


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_no_weight(scale):
    rows = torch.randn(6, 4, generator=torch.Generator().manual_seed(5), dtype=F64)
    losses = torch.ones(6, dtype=F64)
    plain = UPGrad()(rows @ rows.T, losses)
    torch.testing.assert_close(UPGrad()(scale**2 * rows @ rows.T, losses), plain, rtol=1e-6, atol=1e-9)
