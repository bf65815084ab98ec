"""Layers with something to remember or to draw: checkpoints, batch statistics, masks, recurrence."""

import copy

import pytest
import torch
from plain_autograd import METHODS, NAMES, bound, data_of, error, gradients_of, losses_of, net_of, reference
from torch import nn
from torch.utils.checkpoint import checkpoint

import equipoise as eq

every_method = pytest.mark.parametrize("name", METHODS)
every_route = pytest.mark.parametrize("route", ["auto", "rows", "factored"])


def checkpointed(net, x, use_reentrant=False):
    return net.apply_heads(checkpoint(net.trunk, x, use_reentrant=use_reentrant))


def method_of(name, route):
    if name == "graddrop" and route == "factored":
        pytest.skip("a coordinate method needs rows")
    return METHODS[name]()


@every_route
@every_method
def test_non_reentrant_checkpointing_is_exact(name, route):
    net = net_of(middle=nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16)))
    x, targets = data_of()
    expected = reference(bound(METHODS[name]), losses_of(net(x), targets), net)
    balancer = eq.Balancer(method_of(name, route), net, tasks=NAMES, route=route)
    balancer(losses_of(checkpointed(net, x), targets)).backward()
    assert error(gradients_of(net), expected) < 1e-6


def test_checkpointing_below_a_representation_and_while_accumulating():
    net = net_of()
    x, targets = data_of()
    results = []
    for trunk in (net.trunk, lambda x: checkpoint(net.trunk, x, use_reentrant=False)):
        net.zero_grad()
        balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
        z = trunk(x)
        balancer(losses_of(net.apply_heads(z), targets), representation=z).backward()
        results.append(gradients_of(net))
    assert error(results[1], results[0]) < 1e-6
    net.zero_grad()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    balancer.accumulate(2)
    for rows in (slice(0, 6), slice(6, 12)):
        losses = losses_of(checkpointed(net, x[rows]), {k: t[rows] for k, t in targets.items()})
        (balancer(losses) / 2).backward()
    assert error(gradients_of(net), reference(bound(eq.MGDA), losses_of(net(x), targets), net)) < 1e-6


@pytest.mark.parametrize("accumulates", [False, True])
def test_reentrant_checkpointing_is_refused_with_the_fix(accumulates):
    net = net_of()
    x, targets = data_of()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    if accumulates:
        balancer.accumulate(2)
    with pytest.raises(RuntimeError, match="use_reentrant=False"):
        balancer(losses_of(checkpointed(net, x.requires_grad_(), use_reentrant=True), targets))


@every_method
@every_route
def test_batch_statistics_move_as_in_one_backward(name, route):
    net = net_of(middle=nn.BatchNorm1d(16))
    x, targets = data_of()
    once = copy.deepcopy(net)
    sum(losses_of(once(x), targets).values()).backward()
    eq.Balancer(method_of(name, route), net, tasks=NAMES, route=route)(losses_of(net(x), targets)).backward()
    assert net.trunk[2].num_batches_tracked == 1
    assert torch.equal(net.trunk[2].running_mean, once.trunk[2].running_mean)
    assert torch.equal(net.trunk[2].running_var, once.trunk[2].running_var)


def test_a_checkpoint_runs_its_forward_pass_again_for_every_backward():
    """What PyTorch does with one backward it does with K: batch statistics move 1 + K times."""
    net = net_of(middle=nn.BatchNorm1d(16))
    x, targets = data_of()
    eq.Balancer(eq.MGDA(), net, tasks=NAMES, route="rows")(losses_of(checkpointed(net, x), targets)).backward()
    assert net.trunk[2].num_batches_tracked == 1 + len(NAMES)
    plain = net_of(middle=nn.BatchNorm1d(16))
    sum(losses_of(checkpointed(plain, x), targets).values()).backward()
    assert plain.trunk[2].num_batches_tracked == 2


@every_route
@every_method
def test_a_dropout_mask_is_the_same_for_all_tasks(name, route):
    net = net_of(middle=nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.5)))
    x, targets = data_of()
    torch.manual_seed(7)
    expected = reference(bound(METHODS[name]), losses_of(net(x), targets), net)
    torch.manual_seed(7)
    balancer = eq.Balancer(method_of(name, route), net, tasks=NAMES, route=route)
    balancer(losses_of(net(x), targets)).backward()
    assert error(gradients_of(net), expected) < 1e-6


@every_method
def test_a_dropout_mask_in_a_checkpoint(name):
    net = net_of(middle=nn.Sequential(nn.Linear(16, 16), nn.Dropout(0.5)))
    x, targets = data_of()
    torch.manual_seed(7)
    expected = reference(bound(METHODS[name]), losses_of(net(x), targets), net)
    torch.manual_seed(7)
    eq.Balancer(METHODS[name](), net, tasks=NAMES)(losses_of(checkpointed(net, x), targets)).backward()
    assert error(gradients_of(net), expected) < 1e-6


class Recurrent(nn.Module):
    def __init__(self, cell):
        super().__init__()
        self.cell = cell(16, 16, batch_first=True)

    def forward(self, x):
        return self.cell(torch.stack([x, x.sin(), x.cos()], dim=1))[0][:, -1]


@every_route
@pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU, nn.RNN])
@every_method
def test_recurrence(name, cell, route):
    net = net_of(middle=Recurrent(cell))
    x, targets = data_of()
    expected = reference(bound(METHODS[name]), losses_of(net(x), targets), net)
    balancer = eq.Balancer(method_of(name, route), net, tasks=NAMES, route=route)
    balancer(losses_of(net(x), targets)).backward()
    assert error(gradients_of(net), expected) < 1e-6
