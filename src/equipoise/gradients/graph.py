"""Which leaves each loss reaches, read from the autograd graph."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from operator import attrgetter
from typing import Any

from torch import Tensor
from torch.autograd.graph import GradientEdge, get_gradient_edge

from equipoise.gradients.flows import CUTS, JOINS
from equipoise.gradients.regions import above_joins, reached_by_region
from equipoise.torch_private.autograd import backward_retains_graph, backward_will_run
from equipoise.torch_private.compiling import allows_several_passes
from equipoise.torch_private.processes import ddp_of, delay_ddp_to_the_outer_pass, is_ddp_sink

_HANDS_ON = {"_DDPSinkBackward", "BackwardHookFunctionBackward"}  # output i is input i: they join nothing

_JOINS = {"CatBackward0", "StackBackward0", "CopySlices", "IndexPutBackward0", "IndexCopyBackward0", "ScatterBackward0"}


@dataclass
class Graph:
    """What lies below some losses."""

    leaves: dict[Tensor, int]  # every leaf that requires grad; bit k: losses[k] may have a gradient other than zero
    nodes: dict[Any, int]  # all other nodes, with the same bits, each before those that its gradients flow on to
    below: dict[Any, Sequence[tuple[Any, int]]]  # node -> (node, number of its output) that its gradients flow on to
    accumulators: dict[Any, Tensor]  # the nodes that stand for leaves
    roots: list[GradientEdge]  # the losses
    handing: list[Any] = field(default_factory=list)  # nodes that hand on what they get, left out of ``nodes``
    along: dict[Any, list[int]] = field(default_factory=dict)  # bits along a node's edges, if not all are its own
    named: dict[str, Tensor] = field(default_factory=dict)  # parameters given to the balancer, as this graph has them
    kinds: set[str] = field(default_factory=set)  # the names of the types of all nodes
    is_gathered: bool = False  # FSDP gathers them for the forward pass, so that the graph's leaves are stand-ins

    def reaching(self, tensor: Tensor) -> int:
        """Bits of the losses that reach a tensor."""
        return self.leaves.get(tensor, 0) or self.nodes.get(get_gradient_edge(tensor).node, 0)

    def bits(self, node: Any) -> int:
        """Bits of the losses that reach a node."""
        leaf = self.accumulators.get(node)
        return self.nodes[node] if leaf is None else self.leaves[leaf]

    def edges(self, node: Any) -> list[tuple[tuple[Any, int], int]]:
        """What a node's gradients flow on to, with the bits of the losses whose gradients do."""
        edges = self.below[node]
        return list(zip(edges, self.along.get(node) or [self.nodes[node]] * len(edges), strict=True))

    def consumers(self) -> dict[Any, list[tuple[Any, int]]]:
        """Node -> (consumer, which of the consumer's operands it is)."""
        consumers: dict[Any, list[tuple[Any, int]]] = {}
        for node, edges in self.below.items():
            for operand, (below, _) in enumerate(edges):
                if below is not None:
                    consumers.setdefault(below, []).append((node, operand))
        return consumers

    @cached_property
    def node_of(self) -> dict[Tensor, Any]:
        """The accumulator of each leaf."""
        return {leaf: node for node, leaf in self.accumulators.items()}

    @cached_property
    def joint(self) -> tuple[set[Any], list[GradientEdge]]:
        """The nodes that every loss reaches, as it does all below, and the edges at which other nodes lead to them."""
        every = (1 << len(self.roots)) - 1
        nodes = {node for node, leaf in self.accumulators.items() if self.leaves.get(leaf, 0) == every}
        for node in reversed(self.nodes):
            if self.nodes[node] == every and nodes.issuperset([n for n, _ in self.below[node] if n is not None]):
                nodes.add(node)
        roots = [(root.node, root.output_nr) for root in self.roots]
        edges = [edge for node in self.nodes if node not in nodes for edge, bits in self.edges(node) if bits]
        return nodes, [GradientEdge(*edge) for edge in dict.fromkeys([*roots, *edges]) if edge[0] in nodes]

    @cached_property
    def ambiguous(self) -> set[Tensor]:
        """The leaves below compiled graphs, in which every loss seems to reach all."""
        return self._leaves_below(self._compiled())

    @cached_property
    def under_joins(self) -> set[Tensor]:
        """The leaves below operations that join, of whose operands several losses seem to reach the same."""
        joins = [node for node in self.nodes if type(node).__name__ in _JOINS]
        return self._leaves_below(
            [n for join in joins for (n, _), bits in self.edges(join) if n and bits.bit_count() > 1]
        )

    def _leaves_below(self, nodes: Sequence[Any]) -> set[Tensor]:
        if not nodes:
            return set()
        below = _all_from(nodes, self.below).union(nodes)
        return {leaf for node, leaf in self.accumulators.items() if node in below}

    def hides_parameters(self) -> bool:
        """Whether a node keeps parameters out of the graph."""
        return "CheckpointFunctionBackward" in self.kinds

    def require_visible(self) -> None:
        """Raise if a node keeps parameters out of the graph."""
        if self.hides_parameters():
            raise RuntimeError(
                "reentrant activation checkpointing hides the parameters from the losses: call checkpoint(..., "
                "use_reentrant=False)"
            )

    def require_several_passes(self, ends: Sequence[Tensor] | None = None) -> None:
        """Raise if a compiled node allows one backward pass only and a pass per task leads through it.

        Args:
            ends: The tensors at which the passes end; by default all leaves.
        """
        compiled = self._compiled()
        once = {node for node in compiled if not allows_several_passes(node)} if compiled else set()
        if once and (ends is None or once & self._above(ends)):
            raise RuntimeError(
                "a gradient method needs several backward passes, and a compiled graph may reuse its buffers after the "
                "first: call eq.compile_safe() before the model is compiled, give the compiled trunk's output as "
                "representation=, leave the model uncompiled, or balance by losses (Sum, Fixed, UW, DWA)"
            )

    def _compiled(self) -> list[Any]:
        if "CompiledFunctionBackward" not in self.kinds:
            return []
        return [node for node in self.nodes if type(node).__name__ == "CompiledFunctionBackward"]

    def _above(self, ends: Sequence[Tensor]) -> set[Any]:
        """The nodes through which gradients come to these tensors."""
        nodes = [self.node_of[end] if end in self.leaves else get_gradient_edge(end).node for end in ends]
        return _all_from(nodes, self.consumers())

    def awaited(self) -> set[Tensor] | None:
        """The leaves whose gradients DDP waits for: below all outputs of the model if it has looked, else ``None``."""
        sinks = [node for node in self.handing if is_ddp_sink(node)]
        if not sinks:
            return None
        starts = [below for node in sinks for below, _ in node.next_functions if below is not None]
        nodes = _inputs_first(starts, {}, partial(_edges_past, []))
        return {node.variable for node in nodes if hasattr(node, "variable")}

    def delay_to_the_outer_pass(self) -> None:
        """Let DDP's first all-reduce of a static graph wait for the backward that is running."""
        for node in self.handing:
            if (ddp := ddp_of(node)) is not None:
                delay_ddp_to_the_outer_pass(ddp)

    def leaves_around(self, tensor: Tensor) -> set[Tensor]:
        """The leaves to which a path leads from a loss that does not pass through this tensor."""
        edge, found = _edge(tensor), set[Any]()
        ways = [(root.node, root.output_nr) for root in self.roots]
        while ways:
            way = ways.pop()
            if way[0] is not None and way[0] not in found and way != edge:  # one output of a node: others lead around
                found.add(way[0])
                ways += self.below[way[0]]
        return {leaf for node, leaf in self.accumulators.items() if node in found}

    def is_kept(self) -> bool:
        """Whether the backward that is running needs this graph later: it is retained, or others pass through it."""
        return backward_retains_graph() or backward_will_run(self.nodes)


def graph_of(roots: Sequence[Tensor]) -> Graph:
    """All that the roots reach."""
    graph = Graph({}, {}, {}, {}, [])
    graph.roots = [GradientEdge(*_past(*_edge(root), graph.handing)) for root in roots]
    starts: dict[tuple[Any, int], int] = {}
    for bit, root in enumerate(graph.roots):
        start = root.node, root.output_nr
        starts[start] = starts.get(start, 0) | 1 << bit
    first = [node for node, _ in starts]
    order = _inputs_first(first, graph.below, attrgetter("next_functions"))
    kinds = _names(graph.below)
    if not kinds.isdisjoint(_HANDS_ON):
        graph.below.clear()
        order = _inputs_first(first, graph.below, partial(_edges_past, graph.handing))
        kinds = _names(graph.below)
    graph.kinds = kinds
    order.reverse()
    may_be_apart = not kinds.isdisjoint(CUTS) and not kinds.isdisjoint(JOINS)
    if may_be_apart and (above := above_joins(order, graph.below)):
        masks, graph.along = reached_by_region(starts, order, graph.below, above)
    else:
        masks = _reached(starts, order, graph.below)
    for node in order:
        if not graph.below[node] and hasattr(node, "variable"):
            graph.accumulators[node] = leaf = node.variable
            graph.leaves[leaf] = masks[node]
        else:
            graph.nodes[node] = masks[node]
    return graph


def _reached(
    starts: Mapping[tuple[Any, int], int], losses_first: Sequence[Any], below: Mapping[Any, Sequence[tuple[Any, int]]]
) -> dict[Any, int]:
    """Bits of the losses that reach each node."""
    masks: dict[Any, int] = {}
    for (node, _), mask in starts.items():
        masks[node] = masks.get(node, 0) | mask
    before = masks.get
    for node in losses_first:
        mask = masks[node]
        for n, _ in below[node]:
            if n is not None and (known := before(n, 0)) != mask:
                masks[n] = known | mask
    return masks


def _edges_past(handing: list[Any], node: Any) -> Sequence[tuple[Any, int]]:
    """What a node's gradients flow on to, past nodes that hand on what they get; notes these."""
    return [_past(n, number, handing) for n, number in node.next_functions]


def _inputs_first(
    starts: Sequence[Any],
    below: dict[Any, Sequence[tuple[Any, int]]],
    edges_of: Callable[[Any], Sequence[tuple[Any, int]]],
) -> list[Any]:
    """All nodes, each after the nodes its gradient flows on to; fills ``below``, which is empty."""
    order: list[Any] = []
    stack = list(starts)
    while stack:
        node = stack.pop()
        if node is None:  # all below the next one is done
            order.append(stack.pop())
        elif node not in below:
            below[node] = edges = edges_of(node)
            stack += (node, None)
            for n, _ in edges:
                if n is not None and n not in below:
                    stack.append(n)
    return order


def _names(nodes: Iterable[Any]) -> set[str]:
    """The names of their types."""
    return {kind.__name__ for kind in set(map(type, nodes))}


def _all_from(nodes: Sequence[Any], edges: Mapping[Any, Sequence[tuple[Any, int]]]) -> set[Any]:
    """All nodes to which edges lead from these."""
    found, ways = set[Any](), list(nodes)
    while ways:
        new = {node for node, _ in edges.get(ways.pop(), ()) if node is not None} - found
        found |= new
        ways += new
    return found


def _past(node: Any, number: int, handing: list[Any]) -> tuple[Any, int]:
    """What an edge leads to, past nodes that hand on what they get; notes these."""
    while type(node).__name__ in _HANDS_ON:
        handing.append(node)
        node, number = node.next_functions[number]
    return node, number


def _edge(tensor: Tensor) -> tuple[Any, int]:
    if (node := tensor.grad_fn) is not None:  # as get_gradient_edge does, in less time
        return node, tensor.output_nr
    edge = get_gradient_edge(tensor)
    return edge.node, edge.output_nr
