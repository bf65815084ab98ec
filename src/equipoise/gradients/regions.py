"""Where a loss's gradient may be other than zero, where outputs are joined and losses take their parts of them.

A loss that takes its part of joined outputs (``torch.cat(heads)[:, k]``) has a path to every head, and a gradient other
than zero by its own head alone. So its regions are followed, from where parts are taken to where outputs were joined.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from equipoise.gradients.flows import Edges, Region, flow_of, is_cut, is_join

_MANY = 512  # regions at one node beyond which a loss is taken to be everywhere


def keeps_apart(losses_first: Iterable[Any], below: Mapping[Any, Edges]) -> bool:
    """Whether a part is taken of what was joined, with nothing between that is not understood."""
    partial: set[Any] = set()
    for node in losses_first:
        kind: Any = type(node)
        if is_cut(kind) or (node in partial and flow_of(kind) is not None):
            if is_join(kind) and node in partial:
                return True
            partial.update(n for n, _ in below[node])
    return False


def reached_by_region(
    starts: Mapping[tuple[Any, int], int], losses_first: Iterable[Any], below: Mapping[Any, Edges]
) -> tuple[dict[Any, int], dict[Any, list[int]]]:
    """Bits of the losses whose gradient may be other than zero: at each node, and along its edges where those differ.

    Args:
        starts: (node, number of its output) -> bits of the losses that start there.
        losses_first: All nodes, each before those that its gradients flow on to.
        below: Node -> (node, number of its output) that its gradients flow on to.
    """
    arrived: dict[Any, dict[tuple[int, Region], int]] = {}

    def arrive(node: Any, number: int, region: Region, bits: int) -> None:
        pieces = arrived.setdefault(node, {})
        if len(pieces) > _MANY:
            for (other, somewhere), mask in list(pieces.items()):
                if somewhere is not None:
                    pieces[other, None] = pieces.get((other, None), 0) | mask
                    del pieces[other, somewhere]
        pieces[number, region] = pieces.get((number, region), 0) | bits

    for (node, number), bits in starts.items():
        arrive(node, number, None, bits)
    masks: dict[Any, int] = {}
    along: dict[Any, list[int]] = {}
    for node in losses_first:
        pieces, edges = arrived.pop(node, {}), below[node]
        kind: Any = type(node)
        masks[node] = every = _any(pieces.values())
        flow = flow_of(kind) if is_cut(kind) or any(region is not None for _, region in pieces) else None
        bits_of = [0 if flow else every] * len(edges)
        if flow is None:
            for n, number in edges:
                if n is not None and every:
                    arrive(n, number, None, every)
        else:
            for operand, region, bits in flow(node, pieces, edges):
                n, number = edges[operand]
                if n is not None and (region is None or all(region)):
                    bits_of[operand] |= bits
                    arrive(n, number, region, bits)
        if any(bits != every for bits in bits_of):
            along[node] = bits_of
    return masks, along


def _any(masks: Iterable[int]) -> int:
    """All bits."""
    every = 0
    for mask in masks:
        every |= mask
    return every
