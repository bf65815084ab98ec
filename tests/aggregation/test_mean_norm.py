import pytest
import torch

from equipoise.aggregation.mean_norm import MeanNorm
from equipoise.testing import check_method

F64 = torch.float64
ROWS = torch.tensor([[3.0, 4.0], [0.6, -0.8], [0.0, 3.0]], dtype=F64)  # norms 5, 1, 3; mean 3
LOSSES = torch.ones(3, dtype=F64)


def bound(method):
    method.bind(3)
    return method


def check_weights(weights, *expected):
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=F64))


@pytest.mark.parametrize("beta", [0.0, 0.9])
def test_the_laws_hold(beta):
    check_method(lambda: MeanNorm(beta))


def test_weights_follow_the_ratio_from_one():
    method = bound(MeanNorm(0.75))
    check_weights(method(ROWS @ ROWS.T, LOSSES), 0.75 + 0.25 * 0.6, 0.75 + 0.25 * 3, 1.0)
    check_weights(method(ROWS @ ROWS.T, LOSSES), 0.75 * 0.9 + 0.25 * 0.6, 0.75 * 1.5 + 0.25 * 3, 1.0)


def test_at_rest_all_gradients_have_the_mean_norm():
    method = bound(MeanNorm())
    for _ in range(300):
        weights = method(ROWS @ ROWS.T, LOSSES)
    check_weights((weights[:, None] * ROWS).norm(dim=1), 3.0, 3.0, 3.0)


def test_equal_gradients_keep_weight_one():
    rows = ROWS[[0, 0, 0]]
    check_weights(bound(MeanNorm())(rows @ rows.T, LOSSES), 1.0, 1.0, 1.0)


def test_a_zero_gradient_and_an_absent_task_leave_a_weight():
    method = bound(MeanNorm(0.5))
    method(ROWS @ ROWS.T, LOSSES)
    before = method.weight.clone()
    rows = ROWS * torch.tensor([[1.0], [0.0], [1.0]], dtype=F64)
    method(rows @ rows.T, LOSSES)
    assert method.weight[1] == before[1]
    present = torch.tensor([0, 2])
    method(ROWS[present] @ ROWS[present].T, LOSSES[present], present)  # mean 4
    assert method.weight[1] == before[1]
    assert method.weight[0] != before[0]


def test_a_users_weight_multiplies_the_result():
    method, power = bound(MeanNorm(0.0)), torch.tensor([1.0, 10.0, 0.5], dtype=F64)
    method.prefer(power)
    shown = power[:, None] * ROWS
    torch.testing.assert_close((method(shown @ shown.T, LOSSES)[:, None] * shown).norm(dim=1), 3 * power)


@pytest.mark.parametrize("beta", [-0.1, 1.0, float("nan")])
def test_bad_betas_are_refused(beta):
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got"):
        MeanNorm(beta)
