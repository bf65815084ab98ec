"""Where a loss's gradient may be other than zero, where outputs are joined and losses take their parts of them.

A loss that takes its part of joined outputs (``torch.cat(heads)[:, k]``) has a path to every head, and a gradient other
than zero by its own head alone. So its regions are followed, from where parts are taken to where outputs were joined.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from equipoise.gradients.flows import Edges, Region, flow_of, is_cut, is_join

_MANY = 512  # regions at one node beyond which a loss is taken to be everywhere


def above_joins(losses_first: Sequence[Any], below: Mapping[Any, Edges]) -> set[Any]:
    """The nodes from which gradients flow on to what joins, through nothing that is not understood.

    Empty where none of them takes a part.
    """
    cuts = {kind for kind in set[Any](map(type, losses_first)) if is_cut(kind)}
    if not _leads_to_a_join([node for node in losses_first if type(node) in cuts], below):
        return set()
    above: set[Any] = set()
    for node in reversed(losses_first):
        kind: Any = type(node)
        if is_join(kind) or (flow_of(kind) is not None and any(n in above for n, _ in below[node])):
            above.add(node)
    return above


def _leads_to_a_join(cuts: Iterable[Any], below: Mapping[Any, Edges]) -> bool:
    """Whether gradients flow on from one of these nodes to what joins, through nothing that is not understood."""
    to_visit, visited = list(cuts), {None}
    while to_visit:
        for node, _ in below[to_visit.pop()]:
            if node not in visited:
                visited.add(node)
                kind: Any = type(node)
                if is_join(kind):
                    return True
                if flow_of(kind) is not None:
                    to_visit.append(node)
    return False


def reached_by_region(
    starts: Mapping[tuple[Any, int], int], losses_first: Sequence[Any], below: Mapping[Any, Edges], above: set[Any]
) -> tuple[dict[Any, int], dict[Any, list[int]]]:
    """Bits of the losses whose gradient may be other than zero: at each node, and along its edges where those differ.

    Args:
        starts: (node, number of its output) -> bits of the losses that start there.
        losses_first: All nodes, each before those that its gradients flow on to.
        below: Node -> (node, number of its output) that its gradients flow on to.
        above: The nodes above joins: what leads to no join need not be followed, nor looked into.
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
        is_followed = node in above and (is_cut(kind) or any(region is not None for _, region in pieces))
        flow = flow_of(kind) if is_followed else None
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
