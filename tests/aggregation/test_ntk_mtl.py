import pytest
import torch

from equipoise.aggregation.ntk_mtl import NTKMTL
from equipoise.aggregation.unit_norm import UnitNorm
from equipoise.testing import check_method

F64 = torch.float64
ROWS = torch.randn(4, 7, generator=torch.Generator().manual_seed(0), dtype=F64) * torch.tensor([[1e-3], [1], [50], [3]])
LOSSES = torch.ones(4, dtype=F64)


@pytest.mark.parametrize("exponent", [0.5, 0.75, 1.0])
def test_weights_follow_the_largest_eigenvalue_of_each_tasks_kernel(exponent):
    """The kernel K_kk of one sub-batch is 1 x 1."""
    largest = torch.stack([torch.linalg.eigvalsh(row[None] @ row[:, None])[-1] for row in ROWS])
    expected = (largest.mean() / largest) ** exponent
    torch.testing.assert_close(NTKMTL(exponent)(ROWS @ ROWS.T, LOSSES), expected)


def test_by_a_half_all_gradients_have_their_root_mean_square_length():
    lengths = NTKMTL()(ROWS @ ROWS.T, LOSSES) * ROWS.norm(dim=1)
    torch.testing.assert_close(lengths, ROWS.norm(dim=1).square().mean().sqrt().expand(4))
    unit = UnitNorm()(ROWS @ ROWS.T, LOSSES)
    torch.testing.assert_close(NTKMTL()(ROWS @ ROWS.T, LOSSES) / unit, lengths)


def test_a_zero_gradient_keeps_its_weight():
    rows = ROWS.clone()
    rows[1] = 0
    weights = NTKMTL()(rows @ rows.T, LOSSES)
    assert weights[1] == 1
    assert weights.isfinite().all()
    assert NTKMTL()(torch.zeros(4, 4, dtype=F64), LOSSES).tolist() == [1.0] * 4


@pytest.mark.parametrize("exponent", [0.5, 0.75])
def test_laws(exponent):
    check_method(lambda: NTKMTL(exponent))


@pytest.mark.parametrize("exponent", [0.0, -0.5, float("inf"), float("nan")])
def test_refuses(exponent):
    with pytest.raises(ValueError, match=r"exponent must be in \(0, inf\), got"):
        NTKMTL(exponent)
