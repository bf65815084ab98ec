import pytest
import torch

from equipoise.aggregation.max_norm import MaxNorm
from equipoise.chain import Chain
from equipoise.testing import check_method
from equipoise.weighting.log_sum import LogSum

F64 = torch.float64
ROWS = torch.tensor([[3.0, 4.0], [0.6, -0.8], [0.0, 0.1]], dtype=F64)  # norms 5, 1, 0.1
LOSSES = torch.tensor([50.0, 0.2, 2.0], dtype=F64)


def test_the_laws_hold():
    check_method(MaxNorm)


@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e15])
def test_all_gradients_become_as_long_as_the_longest(scale):
    weights = MaxNorm()(scale**2 * ROWS @ ROWS.T, LOSSES)
    torch.testing.assert_close(weights, torch.tensor([1.0, 5.0, 50.0], dtype=F64))


def test_zero_gradients_keep_weight_one():
    rows = ROWS * torch.tensor([[0.0], [1.0], [1.0]], dtype=F64)
    torch.testing.assert_close(MaxNorm()(rows @ rows.T, LOSSES), torch.tensor([1.0, 1.0, 10.0], dtype=F64))
    assert MaxNorm()(0 * ROWS @ ROWS.T, LOSSES).tolist() == [1.0] * 3


def test_a_users_weight_multiplies_the_result():
    method, power = MaxNorm(), torch.tensor([1.0, 10.0, 0.5], dtype=F64)
    method.prefer(power)
    shown = power[:, None] * ROWS
    weights = method(shown @ shown.T, LOSSES)
    torch.testing.assert_close((weights[:, None] * shown).norm(dim=1), 5 * power)


def test_after_log_sum_it_is_db_mtl_without_its_moving_average():
    # norms of log losses' gradients: 5/50, 1/0.2, 0.1/2
    weights = Chain(LogSum(), MaxNorm())(ROWS @ ROWS.T, LOSSES)
    torch.testing.assert_close(weights @ ROWS, 5.0 * (ROWS / ROWS.norm(dim=1, keepdim=True)).sum(dim=0))
