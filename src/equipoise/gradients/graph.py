"""Which leaves each loss reaches, read from the autograd graph."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.autograd.graph import get_gradient_edge

_REFUSED = {
    "CompiledFunctionBackward": (
        "a gradient method needs several backward passes, and a compiled graph may reuse its buffers after the "
        "first: leave the model uncompiled, or balance by losses (Sum, Fixed, UW, DWA)"
    ),
    "CheckpointFunctionBackward": (
        "reentrant activation checkpointing hides the parameters from the losses: call checkpoint(..., "
        "use_reentrant=False)"
    ),
}


def reached_leaves(roots: Sequence[Tensor], stop: Tensor | None = None) -> dict[Tensor, int]:
    """Every leaf that requires grad, with bit k set where roots[k] reaches it.

    Args:
        roots: Tensors with a graph.
        stop: Paths through this tensor are not followed.

    Raises:
        RuntimeError: If the graph holds a node through which one cannot differentiate several times.
    """
    starts = [get_gradient_edge(root).node for root in roots]
    halt = None if stop is None else get_gradient_edge(stop).node
    inputs: dict[Any, list[Any]] = {}  # node -> the nodes its gradient flows on to
    order = _inputs_first(starts, halt, inputs)
    masks = dict.fromkeys(inputs, 0)
    for bit, start in enumerate(starts):
        if start is not halt:
            masks[start] |= 1 << bit
    leaves: dict[Tensor, int] = {}
    for node in reversed(order):
        mask = masks[node]
        for below in inputs[node]:
            masks[below] |= mask
        if not inputs[node] and hasattr(node, "variable"):
            leaves[node.variable] = mask
    return leaves


def _inputs_first(starts: Sequence[Any], halt: Any, inputs: dict[Any, list[Any]]) -> list[Any]:
    """All nodes, each after the nodes its gradient flows on to; fills ``inputs``."""
    order: list[Any] = []
    stack = [(start, False) for start in starts if start is not halt]
    while stack:
        node, done = stack.pop()
        if done:
            order.append(node)
            continue
        if node in inputs:
            continue
        name = type(node).__name__
        if name in _REFUSED:
            raise RuntimeError(_REFUSED[name])
        inputs[node] = below = [n for n, _ in node.next_functions if n is not None and n is not halt]
        stack.append((node, True))
        stack.extend((n, False) for n in below if n not in inputs)
    return order
