"""Which leaves each loss reaches."""

from typing import NamedTuple

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from equipoise.gradients.graph import Graph, graph_of


class HandingNode(NamedTuple):
    """As much as is read of DDP's node."""

    next_functions: tuple


def test_every_leaf_carries_the_bits_of_the_losses_that_reach_it():
    shared, own, other = (torch.ones(2, requires_grad=True) for _ in range(3))
    hidden = shared.sin()
    losses = [(hidden * own).sum(), (hidden * hidden * other).sum(), hidden.sum()]
    assert graph_of(losses).leaves == {shared: 0b111, own: 0b001, other: 0b010}


def test_paths_through_the_stop_are_not_followed():
    trunk, head = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    z = trunk.sin()
    assert graph_of([(z * head).sum()]).leaves_around(z) == {head}
    assert graph_of([(z * head * trunk).sum()]).leaves_around(z) == {head, trunk}
    assert graph_of([z]).leaves_around(z) == set()


def test_only_the_output_itself_stops_not_its_siblings():
    trunk = torch.ones(2, requires_grad=True)
    mean, scale = trunk.chunk(2)
    assert graph_of([(mean * scale).sum()]).leaves_around(mean) == {trunk}
    assert graph_of([mean.sum()]).leaves_around(mean) == set()


def test_a_loss_that_is_a_leaf_reaches_itself():
    leaf = torch.ones((), requires_grad=True)
    assert graph_of([leaf]).leaves == {leaf: 1}


def test_a_deep_graph_is_no_recursion():
    leaf = torch.ones((), requires_grad=True)
    value = leaf
    for _ in range(5000):
        value = value + 1
    assert graph_of([value, value]).leaves == {leaf: 0b11}


def test_reentrant_checkpointing_is_refused_with_the_fix():
    layer = torch.nn.Linear(2, 2)
    out = checkpoint(layer, torch.ones(1, 2, requires_grad=True), use_reentrant=True)
    assert graph_of([out.sum()]).hides_parameters()
    with pytest.raises(RuntimeError, match="use_reentrant=False"):
        graph_of([out.sum()]).require_visible()


def test_a_compiled_graph_is_refused():
    # The class PyTorch makes for a compiled backward, as it appears in the graph; compiling would cost a minute.
    class CompiledFunction(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    out = CompiledFunction.apply(torch.ones(2, requires_grad=True))
    with pytest.raises(RuntimeError, match="uncompiled"):
        graph_of([out.sum()]).require_several_passes()


def test_leaves_are_awaited_by_ddp_that_was_collected(monkeypatch):
    """Its nodes are still in the graph, and its hooks on the parameters."""
    monkeypatch.setattr(HandingNode, "ddp_weakref", staticmethod(lambda: None), raising=False)
    shared = torch.ones(2, requires_grad=True)
    node = shared.sin().sum().grad_fn
    graph = Graph({}, {}, {}, {}, [])
    graph.handing.append(HandingNode(((node, 0),)))
    assert graph.awaited() == {shared}
    graph.delay_to_the_outer_pass()  # there is none to tell
