import itertools

import pytest
import torch

from equipoise.aggregation.gradnorm import GradNorm
from equipoise.testing import check_method

F64 = torch.float64
ROWS = torch.tensor([[3.0, 4.0, 0.0], [0.0, 0.6, -0.8], [0.2, 0.0, 0.0]], dtype=F64)  # norms 5, 1, 0.2


def bound(method, num_tasks=3):
    method.bind(num_tasks)
    return method


class Naive:
    """Algorithm 1 with autograd and torch's Adam, on the rows themselves."""

    def __init__(self, alpha, lr, losses):
        self.alpha, self.first = alpha, losses
        self.weights = torch.ones(len(losses), dtype=F64, requires_grad=True)
        self.adam = torch.optim.Adam([self.weights], lr=lr, eps=0.0)

    def step(self, rows, losses):
        used = self.weights.detach().clone()
        lengths = (self.weights[:, None] * rows).norm(dim=1)
        ratios = losses / self.first
        target = (lengths.mean() * (ratios / ratios.mean()) ** self.alpha).detach()
        self.adam.zero_grad()
        (lengths - target).abs().sum().backward()
        self.adam.step()
        with torch.no_grad():
            self.weights *= len(losses) / self.weights.sum()
        return used


@pytest.mark.parametrize("make", [GradNorm, lambda: GradNorm(alpha=0.0, lr=0.3)])
def test_the_laws_hold(make):
    check_method(make)


@pytest.mark.parametrize("alpha", [0.0, 0.12, 1.5])
def test_it_is_algorithm_1(alpha):
    generator = torch.Generator().manual_seed(0)
    losses = torch.tensor([2.0, 0.1, 30.0], dtype=F64)
    method, naive = bound(GradNorm(alpha, lr=0.01)), Naive(alpha, 0.01, losses)
    for step in range(60):
        rows = ROWS * (1 + 0.2 * torch.randn(3, 3, generator=generator, dtype=F64))
        now = losses * torch.tensor([0.99, 0.95, 0.9], dtype=F64) ** step
        torch.testing.assert_close(method(rows @ rows.T, now), naive.step(rows, now))
    assert method.weight.sum() == pytest.approx(3)


def test_norms_become_equal_where_losses_fall_alike():
    method = bound(GradNorm(alpha=1.5, lr=0.01))
    rows = torch.diag(torch.tensor([2.0, 1.0, 0.5], dtype=F64))
    for _ in range(1000):
        weights = method(rows @ rows.T, torch.ones(3, dtype=F64))
    torch.testing.assert_close(weights * rows.diagonal(), torch.full((3,), 6 / 7, dtype=F64), rtol=0.02, atol=0)


def test_the_task_that_falls_slower_gets_the_longer_gradient():
    method, rows = bound(GradNorm(alpha=1.0, lr=0.01), 2), torch.eye(2, dtype=F64)
    losses = torch.tensor([10.0, 1.0], dtype=F64)
    method(rows, losses)
    for _ in range(1000):
        weights = method(rows, losses * torch.tensor([0.1, 0.3], dtype=F64))
    # r = (0.5, 1.5) and the weights sum to two
    torch.testing.assert_close(weights, torch.tensor([0.5, 1.5], dtype=F64), rtol=0.02, atol=0)


def test_the_first_step_has_weights_one_and_the_first_loss_is_the_reference():
    method = bound(GradNorm())
    assert method(ROWS @ ROWS.T, torch.tensor([3.0, 0.0, -1.0], dtype=F64)).tolist() == [1.0] * 3
    assert method.reference.tolist() == [3.0, 0.0, 0.0]  # a loss that is not positive is no reference
    method(ROWS @ ROWS.T, torch.tensor([1.0, 2.0, 0.5], dtype=F64))
    method(ROWS @ ROWS.T, torch.tensor([9.0, 9.0, 9.0], dtype=F64))
    assert method.reference.tolist() == [3.0, 2.0, 0.5]


@pytest.mark.parametrize("losses", [[0.0, 0.0, 0.0], [1.0, -5.0, 0.0], [-1.0, -1.0, -1.0]])
def test_any_loss_gives_finite_weights(losses):
    method = bound(GradNorm())
    for values in ([1.0, 1.0, 1.0], losses, losses):
        assert method(ROWS @ ROWS.T, torch.tensor(values, dtype=F64)).isfinite().all()
    assert method.weight.isfinite().all()


def test_a_loss_below_zero_counts_as_zero():
    method, other = bound(GradNorm()), bound(GradNorm())
    for one, another in (([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]), ([0.5, -5.0, 0.7], [0.5, 0.0, 0.7])):
        method(ROWS @ ROWS.T, torch.tensor(one, dtype=F64))
        other(ROWS @ ROWS.T, torch.tensor(another, dtype=F64))
    assert torch.equal(method.weight, other.weight)


def test_no_weight_becomes_negative_and_one_at_zero_comes_back():
    method, seen = bound(GradNorm(lr=0.5)), []
    rows = torch.diag(torch.tensor([1e9, 1.0, 1.0], dtype=F64))
    for _ in range(60):
        seen.append(method(rows @ rows.T, torch.ones(3, dtype=F64)))
        assert seen[-1].min() >= 0
        assert seen[-1].sum() == pytest.approx(3)
    first = torch.stack(seen)[:, 0].tolist()
    assert any(before == 0 < after for before, after in itertools.pairwise(first))


def test_present_tasks_keep_their_sum_and_absent_ones_their_state():
    method = bound(GradNorm())
    for _ in range(3):
        method(ROWS @ ROWS.T, torch.ones(3, dtype=F64))
    before = method.weight.clone()
    present = torch.tensor([0, 2])
    used = method(ROWS[present] @ ROWS[present].T, torch.ones(2, dtype=F64), present)
    assert used.tolist() == before[present].tolist()
    assert method.weight[1] == before[1]
    assert method.weight[0] != before[0]
    assert method.weight.sum() == pytest.approx(3)
    assert method.steps.tolist() == [4, 3, 4]


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match=r"alpha must be in \[0, inf\], got -1.0"):
        GradNorm(alpha=-1.0)
    for lr in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"lr must be in \(0, 1\), got"):
            GradNorm(lr=lr)
