"""route="low-memory": the gramian of all gradients and their weighted sum, without ever holding K gradients."""

import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise.gradients.chunks import chunks_of
from equipoise.gradients.graph import graph_of
from equipoise.gradients.plan import plan_of
from equipoise.gradients.products import exact_products_with

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

from models import Problem
from peaks import peak_of


class Tilted(eq.Aggregator):
    """Weights that differ, and depend on every product."""

    def forward(self, gramian, losses, tasks):
        return (1 + torch.arange(len(losses))) * (1 + gramian.sum(dim=1) / gramian.trace())


class Computed(nn.Module):
    """A weight that is computed has no factors."""

    def forward(self, weight):
        return 1.0 * weight


def stack(num_tasks, *widths, batch=8):
    """A trunk of those widths, K heads."""
    torch.manual_seed(1)
    layers = [part for pair in pairwise(widths) for part in (nn.Linear(*pair), nn.Tanh())]
    return Problem(nn.Sequential(*layers), torch.randn(batch, widths[0]), widths[-1], num_tasks)


def two_steps(net, balancer):
    for _ in range(2):
        losses = net()[1]
        (sum(losses.values()) if balancer is None else balancer(losses)).backward()


def stepped(net, route):
    """The record of one step, and its gramian with all gradients."""
    balancer = eq.Balancer(Tilted(), net, tasks=net.names, route=route)
    net.zero_grad()
    balancer(net()[1]).backward()
    return balancer.record, [balancer.record.gramian, *(p.grad for p in net.parameters())]


def chunks(net):
    losses = list(net()[1].values())
    shared, graph = list(net.trunk.parameters()), graph_of(losses)
    return chunks_of(shared, plan_of("rows", shared, graph, len(losses)).layers, graph, len(losses))


def test_chunks_hold_no_more_numbers_than_the_parameters_and_lie_from_the_losses_down():
    net = stack(4, 7, 7, 7, 7, 7, 7, 7, 7)
    found = chunks(net)
    place = {p: number for number, p in enumerate(net.trunk.parameters())}
    places = [place[tensor] // 2 for chunk in found for tensor in chunk.tensors]
    assert places == sorted(places, reverse=True)
    assert len(places) == len(place)
    held = [chunk.at_once * sum(t.numel() for t in chunk.tensors) for chunk in found]
    assert max(held) <= net.shared_size
    assert {chunk.at_once for chunk in found} == {4}
    assert len(found) < 8  # chunks, not layers


def test_of_a_tensor_too_large_for_all_tasks_some_are_held_at_once():
    found = chunks(stack(7, 7, 7, 60, 7))
    assert sorted(chunk.at_once for chunk in found) == [2, 2, 7]
    assert sorted(chunk.at_once for chunk in chunks(stack(7, 60, 7))) == [1, 7]


@pytest.mark.parametrize("shape", [(), (5,), (3, 7000), (70, 300, 2)])
def test_products_with_a_gradient_that_is_no_row_are_those_of_its_numbers(shape):
    gradient = torch.randn(shape[::-1]).permute(tuple(range(len(shape)))[::-1])  # not in the order of its memory
    rows = torch.randn(2, gradient.numel())
    assert_close(exact_products_with(rows, gradient), rows.double() @ gradient.flatten().double())


@pytest.mark.parametrize("widths", [(5, 5, 5, 5, 5, 5), (5, 40, 5), (40, 20, 5, 5)], ids=["even", "two large", "one"])
@pytest.mark.parametrize("num_tasks", [1, 2, 3, 6])
def test_weights_and_gradients_are_those_of_rows(num_tasks, widths):
    net = stack(num_tasks, *widths).double()
    assert_close(stepped(net, "low-memory")[1], stepped(net, "rows")[1], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("batch", "reason"), [(8, "factors, linear"), (200, "need more numbers than the parameters have")]
)
def test_factors_of_many_samples_are_not_held(batch, reason):
    net = stack(6, 512, 512, 8, batch=batch).double()
    record, found = stepped(net, "low-memory")
    assert_close(found, stepped(net, "rows")[1], rtol=1e-11, atol=1e-13)
    assert reason in record.route


@pytest.mark.slow
@pytest.mark.parametrize(
    ("widths", "batch", "is_computed", "limit"),
    [
        ((384,) * 9, 8, True, 1.3),
        ((64, *[512] * 5, 64), 8, True, 1.3),
        ((384,) * 9, 200, False, 1.3),
        ((512, 512, 8), 200, False, 1.6),
    ],
    ids=["small tensors", "large", "many samples", "one dominant"],
)
def test_the_peak_is_within_the_parameters_of_a_plain_step(widths, batch, is_computed, limit):
    """Whatever K: with rows it is K gradients."""
    peaks = []
    for route in (None, "low-memory"):
        net = stack(10, *widths, batch=batch)
        for layer in net.trunk[::2] if is_computed else ():
            nn.utils.parametrize.register_parametrization(layer, "weight", Computed())
        balancer = None if route is None else eq.Balancer(eq.MGDA(), net, tasks=net.names, route=route)
        peaks.append(peak_of(lambda: two_steps(net, balancer)) / (4 * net.shared_size))  # noqa: B023
    plain, low = peaks
    assert low - plain < limit


def test_what_needs_single_gradients_refuses():
    net = stack(2, 3, 3)
    options = {"tasks": net.names, "route": "low-memory"}
    with pytest.raises(ValueError, match="route='low-memory' has no rows"):
        eq.Balancer(eq.GradDrop(), net, **options)
    with pytest.raises(ValueError, match="no gradients of groups"):
        eq.Balancer(eq.MetaBalance(), net, **options)
    with pytest.raises(ValueError, match="keeps all tasks' gradients"):
        eq.Balancer(eq.MGDA(), net, **options).accumulate(2)


def test_a_record_says_that_passes_were_in_chunks():
    net = stack(2, 3, 3)
    balancer = eq.Balancer(eq.MGDA(), net, tasks=net.names, route="low-memory")
    balancer(net()[1]).backward()
    assert balancer.record.route.startswith("rows: a backward pass per task and chunk")
