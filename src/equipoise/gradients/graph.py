"""Which leaves each loss reaches, read from the autograd graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

_ONE_PASS_ONLY = {
    "CompiledFunctionBackward": (
        "a gradient method needs several backward passes, and a compiled graph may reuse its buffers after the "
        "first: leave the model uncompiled, or balance by losses (Sum, Fixed, UW, DWA)"
    ),
    "CheckpointFunctionBackward": (
        "reentrant activation checkpointing hides the parameters from the losses: call checkpoint(..., "
        "use_reentrant=False)"
    ),
}


@dataclass
class Graph:
    """What lies below some losses."""

    leaves: dict[Tensor, int]  # every leaf that requires grad; bit k is set where losses[k] reaches it
    nodes: dict[Any, int]  # all other nodes, with the same bits

    def reaching(self, tensor: Tensor) -> int:
        """Bits of the losses that reach a tensor."""
        return self.leaves.get(tensor, 0) or self.nodes.get(get_gradient_edge(tensor).node, 0)

    def hides_parameters(self) -> bool:
        """Whether a node keeps parameters out of the graph."""
        return any(type(node).__name__ == "CheckpointFunctionBackward" for node in self.nodes)

    def require_several_passes(self) -> None:
        """Raise if a node allows one backward pass only."""
        for node in self.nodes:
            if type(node).__name__ in _ONE_PASS_ONLY:
                raise RuntimeError(_ONE_PASS_ONLY[type(node).__name__])

    def is_kept(self) -> bool:
        """Whether the backward that is running needs this graph later: it is retained, or others pass through it."""
        autograd = torch._C._autograd
        if autograd._get_current_graph_task_keep_graph():
            return True
        return any(torch._C._will_engine_execute_node(node) for node in self.nodes)


def graph_of(roots: Sequence[Tensor], stop: Tensor | None = None) -> Graph:
    """All that the roots reach; paths through ``stop`` are not followed."""
    halt = None if stop is None else get_gradient_edge(stop)
    starts = [get_gradient_edge(root) for root in roots]
    inputs: dict[Any, list[Any]] = {}  # node -> the nodes its gradient flows on to
    masks: dict[Any, int] = {}
    for bit, start in enumerate(starts):
        if not _same(start, halt):
            masks[start.node] = masks.get(start.node, 0) | 1 << bit
    order = _inputs_first(list(masks), halt, inputs)
    graph = Graph({}, {})
    for node in reversed(order):
        mask, below = masks[node], inputs[node]
        for n in below:
            masks[n] = masks.get(n, 0) | mask
        if not below and hasattr(node, "variable"):
            graph.leaves[node.variable] = mask
        else:
            graph.nodes[node] = mask
    return graph


def _inputs_first(starts: Sequence[Any], halt: GradientEdge | None, inputs: dict[Any, list[Any]]) -> list[Any]:
    """All nodes, each after the nodes its gradient flows on to; fills ``inputs``."""
    order: list[Any] = []
    stack = [(start, False) for start in starts]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
        elif node not in inputs:
            edges = node.next_functions
            if halt is not None:  # one output of a node, not the node: others may lead around it
                edges = [edge for edge in edges if edge[0] is not halt.node or edge[1] != halt.output_nr]
            inputs[node] = below = [n for n, _ in edges if n is not None]
            stack.append((node, True))
            stack.extend([(n, False) for n in below if n not in inputs])
    return order


def _same(edge: GradientEdge, other: GradientEdge | None) -> bool:
    return other is not None and edge.node is other.node and edge.output_nr == other.output_nr
