import pytest
import torch

from equipoise.aggregation.lr_annealing import LRAnnealing
from equipoise.testing import check_method

F64 = torch.float64
BY_PLACE = {"ignores_task_order": "its residual task is named by its place"}
ROWS = torch.tensor([[3.0, -8.0, 1.0, 0.0], [0.1, 0.0, -0.1, 0.2], [2.0, 2.0, -2.0, 2.0]], dtype=F64)
# max|g_0| = 8; mean|g_1| = 0.1, mean|g_2| = 2: ratios 80 and 4
LOSSES = torch.ones(3, dtype=F64)


def bound(method):
    method.bind(3)
    return method


def combine(*weights):
    return torch.tensor(weights, dtype=F64) @ ROWS


@pytest.mark.parametrize("make", [LRAnnealing, lambda: LRAnnealing(residual=3, alpha=1.0)])
def test_the_laws_hold(make):
    check_method(make, except_for=BY_PLACE)


def test_conditions_may_exchange_their_roles():
    order = [0, 2, 1]
    expected = bound(LRAnnealing())(ROWS, LOSSES)
    torch.testing.assert_close(bound(LRAnnealing())(ROWS[order], LOSSES), expected)


def test_weights_follow_the_ratio_of_largest_and_mean_entries_from_one():
    method = bound(LRAnnealing(alpha=0.25))
    torch.testing.assert_close(method(ROWS, LOSSES), combine(1.0, 0.75 + 20.0, 0.75 + 1.0))
    torch.testing.assert_close(method(ROWS, LOSSES), combine(1.0, 0.75 * 20.75 + 20.0, 0.75 * 1.75 + 1.0))


def test_at_rest_a_conditions_mean_entry_is_the_residuals_largest():
    # eq. (2.30) with the weight in its own denominator would come to rest at the root of this ratio
    method = bound(LRAnnealing())
    for _ in range(400):
        method(ROWS, LOSSES)
    torch.testing.assert_close(method.weight * ROWS.abs().mean(dim=1), torch.tensor([3.0, 8.0, 8.0], dtype=F64))


def test_the_residual_is_the_task_named():
    # max|g_2| = 2; mean|g_0| = 3
    expected = combine(2 / 3, 20.0, 1.0)
    torch.testing.assert_close(bound(LRAnnealing(residual=2, alpha=1.0))(ROWS, LOSSES), expected)


def test_zero_gradients_and_steps_without_the_residual_leave_weights():
    method = bound(LRAnnealing(alpha=1.0))
    method(ROWS, LOSSES)
    rows = ROWS * torch.tensor([[0.5], [0.0], [1.0]], dtype=F64)
    method(rows, LOSSES)
    assert method.weight.tolist() == pytest.approx([1.0, 80.0, 2.0])
    gradient = method(ROWS[1:], LOSSES[1:], torch.tensor([1, 2]))
    torch.testing.assert_close(gradient, combine(0.0, 80.0, 2.0))
    assert method.weight.tolist() == pytest.approx([1.0, 80.0, 2.0])


def test_a_users_weight_multiplies_the_result():
    method, power = bound(LRAnnealing(alpha=1.0)), torch.tensor([2.0, 3.0, 0.5], dtype=F64)
    method.prefer(power)
    torch.testing.assert_close(method(power[:, None] * ROWS, LOSSES), combine(2.0, 3.0 * 80.0, 0.5 * 4.0))


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"residual must be a whole number, 0 or more, got -1"):
        LRAnnealing(residual=-1)
    with pytest.raises(ValueError, match=r"residual must be the index of one of 3 tasks, from 0 to 2, got 3"):
        LRAnnealing(residual=3).bind(3)
    for alpha in (0.0, 1.1, float("nan")):
        with pytest.raises(ValueError, match=r"alpha must be in \(0, 1\], got"):
            LRAnnealing(alpha=alpha)


def test_a_residual_without_gradient_leaves_the_weights():
    method = LRAnnealing()
    method.bind(2)
    before = method.weight.clone()
    method(torch.tensor([[0.0, 0.0], [1.0, 1.0]]), torch.ones(2))
    torch.testing.assert_close(method.weight, before)
