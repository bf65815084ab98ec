"""Methods with state for single coordinates, where not every step reaches the same shared parameters."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq

NAMES = ["a", "b", "c"]
SHARED = ["left", "right", "trunk"]  # left and right are of one size, and the third task reaches neither
METHODS = [eq.MoCo, eq.AdaTask, eq.DBMTL, eq.ExcessMTL]


@pytest.fixture
def model():
    torch.manual_seed(0)
    blocks = {"left": nn.Linear(6, 6), "right": nn.Linear(6, 6), "trunk": nn.Linear(4, 6)}
    return nn.ModuleDict(blocks | {name: nn.Linear(6, 1) for name in NAMES}).double()


def losses_of(model, step, names=NAMES, dropped=()):
    """A block that is dropped is not run in this step, as in stochastic depth."""
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(step), dtype=torch.float64)
    trunk = deep = model["trunk"](x).tanh()
    for name in ("left", "right"):
        deep = deep if name in dropped else deep + model[name](deep).tanh()
    outputs = {"a": deep, "b": deep, "c": trunk}
    return {name: (model[name](outputs[name]) - k).square().mean() for k, name in enumerate(NAMES) if name in names}


def by_definition(method, model, losses):
    """What the method makes of the gradients by all that tasks share, zero where a loss does not reach it."""
    shared = [p for name in SHARED for p in model[name].parameters()]
    rows = []
    for loss in losses.values():
        found = torch.autograd.grad(loss, shared, retain_graph=True, allow_unused=True)
        filled = [torch.zeros_like(p) if g is None else g for p, g in zip(shared, found, strict=True)]
        rows.append(torch.cat([g.flatten() for g in filled]))
    tasks = torch.tensor([NAMES.index(name) for name in losses])
    return method(torch.stack(rows), torch.stack(list(losses.values())).detach(), tasks)


def delivered(model):
    return torch.cat([p.grad.flatten() for name in SHARED for p in model[name].parameters()])


@pytest.mark.parametrize("micro_batches", [1, 2])
@pytest.mark.parametrize("make", METHODS)
def test_a_shared_parameter_that_a_step_does_not_reach_has_a_gradient_of_zero(model, make, micro_batches):
    balancer, alone = eq.Balancer(make(), model, tasks=NAMES, scale="paper"), make()
    alone.bind(3)
    balancer.accumulate(micro_batches)
    for step, what in enumerate([{}, {"names": "c"}, {"dropped": ["left"]}, {"dropped": ["right"], "names": "ab"}, {}]):
        losses = losses_of(model, step, **what)
        expected = by_definition(alone, model, losses)
        model.zero_grad()
        for _ in range(micro_batches):
            (balancer(losses) / micro_batches).backward(retain_graph=True)
        assert_close(delivered(model), expected)


@pytest.mark.parametrize("make", METHODS)
def test_parameters_found_to_be_shared_one_by_one_have_the_places_of_later_steps(model, make):
    balancer, alone = eq.Balancer(make(), model, tasks=NAMES, scale="paper"), make()
    alone.bind(3)
    balancer.accumulate(2)
    for first, second in [({"dropped": ["left", "right"]}, {}), ({}, {})]:  # the trunk first, which is the last
        micro_batches = losses_of(model, 0, **first), losses_of(model, 1, **second)
        means = {name: (micro_batches[0][name] + micro_batches[1][name]) / 2 for name in NAMES}
        expected = by_definition(alone, model, means)
        model.zero_grad()
        for losses in micro_batches:
            (balancer(losses) / 2).backward()
        assert_close(delivered(model), expected)


def test_where_nothing_shared_is_reached_nothing_shared_moves(model):
    balancer = eq.Balancer(eq.MoCo(), model, tasks=NAMES)
    balancer(losses_of(model, 0)).backward()
    model.zero_grad()
    balancer({"a": model["a"](torch.ones(1, 6).double()).square().mean()}).backward()
    assert all(p.grad is None for name in SHARED for p in model[name].parameters())
    assert model["a"].weight.grad is not None
