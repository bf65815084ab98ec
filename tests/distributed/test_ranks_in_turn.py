"""What ranks see of a step differs in kind: other heads, other dtypes, a line search over all of them."""

import copy

import pytest
import torch
from test_ranks_at_odds import losses_of
from test_replicas import NAMES, Net, batch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.testing import assert_close

import equipoise as eq


class Chosen(Net):
    """Runs only the heads that it is asked for."""

    def forward(self, x, names):
        z = self.trunk(x)
        return {name: self.heads[name](z) for name in names}


def mine(rank, size, step):
    x, targets = batch(step)
    rows = slice(rank * len(x) // size, (rank + 1) * len(x) // size)
    return x[rows], {name: target[rows] for name, target in targets.items()}


def in_turn(rank, size, method, steps=6):
    """Every rank runs one head a step; a single process takes the mean over the ranks of that turn."""
    torch.manual_seed(0)
    net = Chosen()
    model = DistributedDataParallel(net, find_unused_parameters=True) if size > 1 else net
    balancer = eq.Balancer(eq.method(method), model, tasks=NAMES)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.02)
    for step in range(steps):
        found = {}
        for its in range(2) if size == 1 else [rank]:
            name = NAMES[(step + its * (step % 2)) % 3]
            x, targets = mine(its, 2, step)
            found.setdefault(name, []).append(losses_of(model(x, [name]), targets, [name])[name])
        optimizer.zero_grad()
        balancer({name: torch.stack(losses).mean() for name, losses in found.items()}).backward()
        optimizer.step()
    return {name: value.clone() for name, value in net.state_dict().items()}


@pytest.mark.parametrize("method", ["sum", "uw", "mgda", "pcgrad"])
def test_heads_that_run_in_turn(two, method):
    expected = in_turn(0, 1, method)
    for found in two(in_turn, method):
        assert_close(found, expected, rtol=2e-5, atol=2e-6)


class Split(nn.Module):
    """Tasks a and b share a layer that c does not pass."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(5, 4)
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 2), "b": nn.Linear(4, 2), "c": nn.Linear(5, 2)})

    def forward(self, x, names):
        return {name: self.heads[name](x if name == "c" else self.layer(x)) for name in names}


def shared_layer_closed(rank, size):
    net = Split()
    model = DistributedDataParallel(net, find_unused_parameters=True)
    balancer = eq.Balancer(eq.MGDA(), model, tasks=NAMES)
    x, targets = mine(rank, size, 0)
    names = ["a", "b"] if rank == 0 else ["c"]
    try:
        balancer(losses_of(model(x, names), targets, names))
    except RuntimeError as error:
        return str(error)
    return None


def test_a_shared_layer_that_did_not_run_on_a_rank_is_told(two):
    assert two(shared_layer_closed)[1].startswith("layer.weight, layer.bias are shared by tasks, and the forward pass")


def mixed(rank, size, method, wide):
    """The first rank's losses have another dtype than the second's, which has none every other step."""
    torch.manual_seed(0)
    net = Net()
    balancer = eq.Balancer(eq.method(method), model := DistributedDataParallel(net), tasks=NAMES)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.02)
    for step in range(5):
        x, targets = mine(rank, size, step)
        losses = losses_of(model(x), targets, NAMES if rank == 0 else NAMES[: 3 * (step % 2)])
        if rank == 0:
            losses = {name: loss.to(wide) for name, loss in losses.items()}
        optimizer.zero_grad()
        balancer(losses).backward()
        optimizer.step()
    return {**net.state_dict(), **{f"balancer.{k}": p for k, p in balancer.named_parameters()}}, balancer.record.losses


@pytest.mark.parametrize("wide", [torch.bfloat16, torch.float64])
@pytest.mark.parametrize("method", ["uw", "dwa", "mgda"])
def test_losses_of_unlike_dtypes_are_one_number_on_all_ranks(two, method, wide):
    (first, losses), (second, others) = two(mixed, method, wide)
    assert losses == others
    assert_close(first, second, rtol=0, atol=0)


def searched(rank, size, method):
    """L-BFGS with a line search, whose weights are decided between searches."""
    torch.manual_seed(0)
    net = Net()
    model = DistributedDataParallel(net) if size > 1 else net
    balancer = eq.Balancer(eq.method(method), model, tasks=NAMES)
    optimizer = torch.optim.LBFGS(net.parameters(), max_iter=4, line_search_fn="strong_wolfe")
    x, targets = mine(rank, size, 0)
    values = []

    def closure():
        optimizer.zero_grad()
        loss = balancer(losses_of(model(x), targets, NAMES))
        loss.backward()
        values.append(loss.item())
        return loss

    for _ in range(2):
        closure()
        with balancer.frozen():
            optimizer.step(closure)
    return copy.deepcopy(net.state_dict()), values


@pytest.mark.parametrize("method", ["sum", "mgda"])
def test_a_line_search_sees_one_function_on_all_ranks(two, method):
    expected, values = searched(0, 1, method)
    for found, its in two(searched, method):
        assert its == pytest.approx(values, rel=1e-4)
        assert_close(found, expected, rtol=1e-3, atol=1e-4)


def held_at_zero(rank, size):
    """A held weight of 0: the head of its task still owes DDP a gradient."""
    torch.manual_seed(0)
    model = DistributedDataParallel(Net())
    balancer = eq.Balancer(eq.MGDA(), model, tasks=NAMES)
    weights = []
    for _ in range(3):
        x, targets = mine(rank, size, 0)
        targets = {name: targets[name] * 100 if name == "c" else targets[name] for name in NAMES}
        balancer(losses_of(model(x), targets, NAMES)).backward()
        with balancer.frozen():
            balancer(losses_of(model(x), targets, NAMES)).backward()
        weights.append(balancer.record.weights)
    return weights


def test_a_held_weight_of_zero(two):
    for weights in two(held_at_zero):
        assert any(0 in its.values() for its in weights)


def copied(rank, size):
    """The gradients of a step, of the balancer and of its copy, which was made after a step of all ranks."""
    torch.manual_seed(0)
    net = Net()
    x, targets = mine(rank, size, 0)
    balancer = eq.Balancer(eq.MGDA(), list(net.parameters()), tasks=NAMES)
    balancer(losses_of(net(x), targets, NAMES)).backward()
    found = []
    for twin_net, twin in ((net, balancer), copy.deepcopy((net, balancer))):
        twin_net.zero_grad()
        twin(losses_of(twin_net(x), targets, NAMES)).backward()
        found.append([parameter.grad.clone() for parameter in twin_net.parameters()])
    return found


def test_a_copy_of_a_balancer_finds_the_ranks_anew(two):
    for own, of_the_copy in two(copied):
        assert_close(of_the_copy, own, rtol=0, atol=0)
