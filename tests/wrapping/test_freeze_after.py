import pytest
import torch

import equipoise as eq
from equipoise.wrapping import FreezeAfter

F64 = torch.float64


class Told(eq.Aggregator):
    """weights = losses."""

    def forward(self, gramian, losses, tasks):
        return losses


def step(method, weights, tasks):
    losses = torch.tensor(weights, dtype=F64)
    return method(torch.eye(len(losses), dtype=F64), losses, torch.tensor(tasks)).tolist()


def test_explore_then_freeze_the_mean_of_each_task():
    method = FreezeAfter(3, Told())
    method.bind(4)
    for weights, tasks in (([1.0, 4.0, 0.5], [0, 1, 2]), ([2.0, 7.0], [0, 2]), ([6.0, 8.0], [0, 1])):
        assert step(method, weights, tasks) == weights
    for _ in range(2):
        assert step(method, [9.0, 9.0, 9.0], [0, 1, 2]) == pytest.approx([3.0, 6.0, 3.75])
    # a task that nobody has met takes the mean of the others'
    assert step(method, [9.0, 9.0], [2, 3]) == pytest.approx([3.75, (3.0 + 6.0 + 3.75) / 3])


def test_frozen_weights_are_those_of_fixed():
    model = torch.nn.Linear(2, 2, bias=False)
    balancer = eq.Balancer(FreezeAfter(2, eq.NashMTL()), model, tasks=["a", "b"])
    x, decided = torch.tensor([1.0, 2.0]), []
    for t in range(4):
        a, b = model(x)
        model.zero_grad()
        balancer({"a": a + (t + 1) * b, "b": b - t * a}).backward()
        decided.append(list(balancer.record.weights.values()))
    frozen = torch.tensor(decided[:2]).mean(dim=0).tolist()
    assert decided[2] == pytest.approx(frozen)
    assert decided[3] == pytest.approx(frozen)
    outer = torch.tensor([[1.0, 4.0], [-3.0, 1.0]]) * torch.tensor(frozen)[:, None]
    torch.testing.assert_close(model.weight.grad, outer.sum(dim=0)[:, None] * x)


@pytest.mark.parametrize("steps", [0, -2, 1.5])
def test_errors(steps):
    with pytest.raises(ValueError, match=f"steps must be a whole number, 1 or more, got {steps}"):
        FreezeAfter(steps, eq.MGDA())
