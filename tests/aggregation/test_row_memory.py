import copy

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.aggregation.db_mtl import DBMTL
from equipoise.aggregation.excess_mtl import ExcessMTL
from equipoise.aggregation.moco import MoCo
from equipoise.aggregation.row_memory import RowMemory


class Last(RowMemory, eq.CoordinateAggregator):
    """The sum of every task's last gradient, present or not."""

    def forward(self, jacobian, losses, tasks):
        memory = self.remember(jacobian)
        memory[tasks] = jacobian.to(memory)
        return memory.sum(dim=0).to(jacobian)


METHODS = [Last, MoCo, DBMTL, ExcessMTL]
ROWS = torch.randn(3, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LOSSES = torch.ones(3, dtype=torch.float64)


def bound(method):
    method.bind(3)
    return method


def test_rows_of_absent_tasks_stay():
    method = bound(Last())
    method(ROWS, LOSSES)
    present = torch.tensor([1])
    torch.testing.assert_close(method(2 * ROWS[present], LOSSES[present], present), ROWS[0] + 2 * ROWS[1] + ROWS[2])


@pytest.mark.parametrize("make", METHODS)
def test_a_state_loads_into_a_fresh_method_and_an_empty_one_into_a_used_one(make):
    method, fresh, used = bound(make()), bound(make()), bound(make())
    empty = copy.deepcopy(fresh.state_dict())
    assert empty["memory"].shape == (3, 0)
    first = method(ROWS, LOSSES)
    fresh.load_state_dict(method.state_dict())
    assert torch.equal(fresh.memory, method.memory)
    assert fresh.memory is not method.memory
    assert torch.equal(fresh(2 * ROWS, LOSSES), method(2 * ROWS, LOSSES))
    used(5 * ROWS[:, :2], LOSSES)
    used.load_state_dict(empty)
    assert torch.equal(used(ROWS, LOSSES), first)


def test_a_state_of_other_tasks_does_not_load():
    method, other = bound(Last()), Last()
    other.bind(2)
    method(ROWS, LOSSES)
    with pytest.raises(RuntimeError, match="size mismatch for memory"):
        other.load_state_dict(method.state_dict())
    state = method.state_dict()
    del state["memory"]
    with pytest.raises(RuntimeError, match="Missing key"):
        bound(Last()).load_state_dict(state)


@pytest.mark.parametrize("make", METHODS)
def test_another_width_is_refused(make):
    method = bound(make())
    method(ROWS, LOSSES)
    with pytest.raises(ValueError, match="remembers 4 numbers per row, and this step shows 3"):
        method(ROWS[:, :3], LOSSES)


@pytest.mark.parametrize(("dtype", "kept"), [(torch.bfloat16, torch.float32), (torch.float64, torch.float64)])
@pytest.mark.parametrize("make", METHODS)
def test_rows_are_kept_in_float32_or_better(make, dtype, kept):
    method = bound(make())
    for _ in range(2):
        assert method(ROWS.to(dtype), LOSSES.to(dtype)).dtype == dtype
    assert method.memory.dtype == kept
    method.bfloat16()
    assert method.memory.dtype == kept


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 2))


def losses_of(net, seed):
    outputs = net(torch.randn(8, 3, generator=torch.Generator().manual_seed(seed))).square().mean(dim=0)
    return {"a": outputs[0], "b": outputs[1] + 1}


@pytest.mark.parametrize("make", [*METHODS, lambda: eq.Chain(eq.Fixed([1.0, 3.0]), MoCo())])
def test_a_balancer_resumes(make):
    def gradient(balancer, net, seed):
        net.zero_grad()
        balancer(losses_of(net, seed)).backward()
        return torch.cat([p.grad.flatten() for p in net.parameters()])

    net = model()
    balancer = eq.Balancer(make(), net, tasks=["a", "b"])
    for seed in range(2):
        gradient(balancer, net, seed)
    saved = copy.deepcopy(balancer.state_dict())
    resumed = eq.Balancer(make(), net, tasks=["a", "b"])
    resumed.load_state_dict(saved)
    following = [gradient(balancer, net, seed) for seed in (2, 3)]
    assert torch.equal(gradient(resumed, net, 2), following[0])
    assert torch.equal(gradient(resumed, net, 3), following[1])
    balancer.load_state_dict(saved)  # back again
    assert torch.equal(gradient(balancer, net, 2), following[0])


def test_a_parameter_that_is_frozen_later_is_noticed():
    net = model()
    balancer = eq.Balancer(MoCo(), net, tasks=["a", "b"])
    balancer(losses_of(net, 0)).backward()
    net[0].bias.requires_grad_(False)
    with pytest.raises(ValueError, match="keep the same shared parameters trained"):
        balancer(losses_of(net, 1)).backward()
