"""Wrappers of methods that decide weights by rows."""

import copy
import io

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.testing import check_method

NAMES = ("residual", "left", "right")
BY_PLACE = {"ignores_task_order": "its residual task is named by its place"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
        self.heads = nn.ModuleDict({name: nn.Linear(8, 1) for name in NAMES})
        self.double()

    def losses(self, seed, present=NAMES):
        x = torch.randn(6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        z = self.trunk(x)
        return {n: 10.0**k * (self.heads[n](z) - k).square().mean() for k, n in enumerate(NAMES) if n in present}


def rows_of(net, losses):
    shared = list(net.trunk.parameters())
    grads = [torch.autograd.grad(loss, shared, retain_graph=True) for loss in losses.values()]
    return torch.stack([torch.cat([g.flatten() for g in each]) for each in grads])


def trunk(net):
    return torch.cat([p.grad.flatten() for p in net.trunk.parameters()])


def step(net, balancer, seed):
    losses = net.losses(seed)
    rows = rows_of(net, losses)
    net.zero_grad()
    balancer(losses).backward()
    return rows, trunk(net)


def test_lr_annealing_every_few_steps_reuses_its_weights_at_the_price_of_one_pass():
    net = Net()
    balancer = eq.Balancer(eq.Every(3, eq.LRAnnealing(alpha=0.5)), net, tasks=NAMES)
    weight = torch.ones(3, dtype=torch.float64)
    for seed in range(7):
        rows, found = step(net, balancer, seed)
        if seed % 3 == 0:  # algorithm 2.1 with alpha = 1/2, in every third step
            weight[1:] = (weight[1:] + rows[0].abs().max() / rows[1:].abs().mean(dim=1)) / 2
        torch.testing.assert_close(found, weight @ rows)
        assert list(balancer.record.weights.values()) == pytest.approx(weight.tolist())
        assert (balancer.record.route == "reused") == (seed % 3 > 0)


def test_heads_may_follow_the_weights():
    net = Net()
    balancer = eq.Balancer(eq.Every(2, eq.LRAnnealing()), net, tasks=NAMES, heads="weighted")
    for seed in range(2):  # decided, then reused
        losses = net.losses(seed)
        raw = torch.autograd.grad(losses["right"], net.heads["right"].weight, retain_graph=True)[0]
        net.zero_grad()
        balancer(losses).backward()
        torch.testing.assert_close(net.heads["right"].weight.grad, balancer.record.weights["right"] * raw)


def test_smoothed_weights_by_rows_are_their_running_mean():
    net, plain = Net(), Net()
    balancer = eq.Balancer(eq.Smooth(0.75, eq.LRAnnealing()), net, tasks=NAMES)
    bare = eq.Balancer(eq.LRAnnealing(), plain, tasks=NAMES)
    mean = torch.zeros(3, dtype=torch.float64)
    for seed in range(4):
        rows, found = step(net, balancer, seed)
        step(plain, bare, seed)
        now = torch.tensor(list(bare.record.weights.values()), dtype=torch.float64)
        mean = 0.75 * mean + 0.25 * now
        torch.testing.assert_close(found, mean / (1 - 0.75 ** (seed + 1)) @ rows)


def test_a_method_that_mixes_rows_itself_is_still_refused():
    with pytest.raises(ValueError, match="RowAggregator; got GradDrop"):
        eq.Every(10, eq.GradDrop())


def test_a_copy_and_a_saved_state_decide_as_the_first():
    net = Net()
    balancer = eq.Balancer(eq.Every(3, eq.LRAnnealing()), net, tasks=NAMES)
    for seed in range(2):
        step(net, balancer, seed)
    file = io.BytesIO()
    torch.save(balancer.state_dict(), file)
    file.seek(0)
    loaded = eq.Balancer(eq.Every(3, eq.LRAnnealing()), net, tasks=NAMES)
    loaded.load_state_dict(torch.load(file, weights_only=True))
    twin = copy.deepcopy(balancer.method)
    for seed in range(2, 5):
        _, first = step(net, balancer, seed)
        torch.testing.assert_close(step(net, loaded, seed)[1], first, rtol=0, atol=0)
    assert int(twin.step) == 2


@pytest.mark.parametrize("make", [lambda: eq.Every(3, eq.LRAnnealing()), lambda: eq.Warmup(2, eq.LRAnnealing())])
def test_the_laws_hold(make):
    check_method(make, except_for=BY_PLACE)
