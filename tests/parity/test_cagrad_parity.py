"""CAGrad beside TorchJD's, which asks a general conic solver."""

import pytest
import torch

from equipoise.aggregation.cagrad import CAGrad

torchjd = pytest.importorskip("torchjd.aggregation")
pytest.importorskip("cvxpy")
pytest.importorskip("clarabel")

F64 = torch.float64


def served_by(rows, weights):
    return (rows @ (weights @ rows)).min()


@pytest.mark.parametrize("c", [0.2, 0.5, 1.0])
def test_the_directions_agree(c):
    generator = torch.Generator().manual_seed(0)
    for k in (2, 3, 5, 10, 40):
        for _ in range(5):
            rows = torch.randn(k, 2 * k, generator=generator, dtype=F64)
            gramian = rows @ rows.T
            here = CAGrad(c)(gramian, torch.ones(k, dtype=F64))
            there = torchjd.CAGradWeighting(c=c, norm_eps=0.0)(gramian)
            torch.testing.assert_close(here @ rows, there @ rows, atol=1e-4 * rows.norm().item(), rtol=0)


@pytest.mark.parametrize("spread", [0.5, 3.0])
def test_where_they_differ_the_worst_served_task_has_more_here(spread):
    generator = torch.Generator().manual_seed(1)
    for k in (2, 3, 5, 10):
        for columns in (max(2, k // 2), 2 * k):
            rows = torch.randn(k, columns, generator=generator, dtype=F64)
            rows = rows * 10 ** (spread * (2 * torch.rand(k, 1, generator=generator, dtype=F64) - 1))
            gramian, mean = rows @ rows.T, rows.mean(dim=0)
            here = CAGrad(0.5)(gramian, torch.ones(k, dtype=F64))
            there = torchjd.CAGradWeighting(c=0.5, norm_eps=0.0)(gramian)
            inside = ((there @ rows - mean).norm() <= 0.5 * mean.norm() * (1 + 1e-9)).item()
            if inside and there.any():
                assert served_by(rows, here) >= served_by(rows, there) - 1e-9 * gramian.trace()


def test_small_gradients_do_not_freeze_the_training():
    rows = 1e-3 * torch.tensor([[1.0, 0.0], [-0.5, 1.0]], dtype=F64)
    gramian = rows @ rows.T
    assert not torchjd.CAGradWeighting(c=0.5)(gramian).any()
    assert (CAGrad(0.5)(gramian, torch.ones(2, dtype=F64)) @ rows).norm() > 1e-4
