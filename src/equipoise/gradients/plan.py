"""How a step's gradients are taken: which layers by factors, which tensors by rows, in which backward passes.

Counted from shapes, never timed, so that a run repeats bit for bit.

Over several ranks G needs products of gradients across ranks, so the factors of a layer, N·(D_in + K·D_out) numbers,
meet on one rank, its owner; layers are dealt out in turn. What is delivered comes from each rank's own factors.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain, count
from operator import itemgetter

import torch
from torch import Tensor

from equipoise.gradients.batching import AT_THE_BOTTOM, joins_above
from equipoise.gradients.chunks import FoldedJacobian, chunks_of, fits, fold_chunks
from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian, Spread, UnsharedGradients
from equipoise.gradients.layers import KINDS, UNKNOWN, layers_among
from equipoise.gradients.layers.layer import Layer, size
from equipoise.gradients.ranks import Ranks
from equipoise.gradients.routes import Route, Wanted, batched, joined, sequential
from equipoise.torch_private.autograd import first_output_shapes

_ALONE = Ranks()

ROUTES = ("auto", "rows", "batched", "factored", "low-memory")

_CLEARLY = 0.85  # share of the operations of rows below which factors are taken; the counts are that good
_WORTH = 2.5e7  # multiply-adds in the time that a step with factors takes to plan and decide beyond one by rows alone
_SLIGHT = 2**17  # numbers of all tasks and layers below which a batched pass costs more to set up than it saves
_THIN = 2**16  # numbers of a task at a layer up to which K operations cost more than one on K times as many

_MOST_KNOWN = 16


@dataclass
class RoutePlan:
    """Equal mathematics, whatever it says."""

    passes: Route
    route: str = "rows"
    layers: list[Layer] = field(default_factory=list)
    spread: Spread = "whole"  # where the rows lie, over several ranks
    lengths: list[int] = field(default_factory=list)  # of the layers' factors, over several ranks
    ranks: Ranks = _ALONE
    why: dict[Tensor, str] = field(default_factory=dict)  # for each shared tensor
    in_chunks: bool = False  # whether only products are kept, and a pass more is needed

    def describe(self, names: Sequence[str]) -> str:
        """The route, and a line for each shared tensor."""
        passes: dict[Route, str] = {sequential: "one backward pass per task", batched: "one batched backward pass"}
        first = passes.get(self.passes, "one batched backward pass below the join of the tasks")
        if self.in_chunks:
            first = "a backward pass per task and chunk of the parameters, and one from all losses"
        return _text(self.route, first, tuple(names), tuple(self.why.values()))

    def fill(
        self,
        jacobian: Jacobian,
        measured: Sequence[Tensor],
        losses: Sequence[Tensor],
        graph: Graph,
        own: Sequence[Sequence[Tensor]],
        incoming: Tensor,
        keep: bool,
    ) -> UnsharedGradients:
        """Fill the jacobian with gradients of the losses by the measured tensors, in the backward passes of the plan.

        Args:
            jacobian: Row k becomes the gradient of loss k; in chunks it is left without rows, and with their gramian.
            measured: What its columns belong to.
            losses: K scalars.
            graph: Of these.
            own: For each loss, further leaves, whose gradients are returned.
            incoming: The gradient [] that each backward starts from.
            keep: Leave the graph alive, as is always done in chunks.
        """
        num_tasks, layers = len(losses), self.layers
        if self.in_chunks:
            assert isinstance(jacobian, FoldedJacobian)
            fold_chunks(jacobian, chunks_of(measured, layers, graph, num_tasks), losses, graph, incoming)
            measured, layers, keep = [], [], True
        jacobian.prepare(measured, num_tasks, layers, self.spread, self.lengths, self.ranks)
        unshared = UnsharedGradients(own)
        for found in self.passes(Wanted(losses, graph, jacobian.points, own, incoming, keep)):
            jacobian.write(found.tasks, found.shared, found.is_single)
            for k, gradients in zip(found.tasks, found.own, strict=True):
                unshared.add(k, gradients)
            del found, gradients  # the next pass needs their room
        jacobian.average(num_tasks)
        return unshared


def plan_of(
    route: str,
    shared: Sequence[Tensor],
    graph: Graph,
    num_tasks: int,
    groups: Sequence[Sequence[Tensor]] = (),
    ranks: Ranks = _ALONE,
    known: "KnownRows | None" = None,
) -> RoutePlan:
    """What the route means for these losses.

    ``"rows"`` and ``"batched"`` know no layers; ``"factored"`` takes factors wherever there are some, ``"low-memory"``
    where they cost clearly fewer operations than rows and fit, ``"auto"`` where they do, if that saves enough in all.
    A layer that lies in several groups has no factors of its own for each, and is taken by rows. Several ranks take
    by factors what every one of them would.
    """
    if route in ("rows", "batched"):
        passes: Route = sequential if route == "rows" else batched
        return RoutePlan(passes, route, ranks=ranks, why=dict.fromkeys(shared, "rows, as for everything on this route"))
    structure = None
    if known is not None and not groups and ranks.size == 1 and graph.kinds.isdisjoint(AT_THE_BOTTOM):
        structure = route, num_tasks, structure_of(graph, shared)
        if structure in known:
            return RoutePlan(sequential, why=dict(zip(shared, known[structure], strict=True)))
    found, reasons = layers_among(shared, graph)
    layers, chosen = _chosen(route, found, shared, num_tasks, groups, ranks)
    why = {leaf: f"rows, {reason}" for leaf, reason in reasons.items()} | chosen
    by_rows = _by_rows(shared, layers)
    edges = [edge for layer in layers for edge in layer.edges]
    numbers = [leaf.numel() for leaf in by_rows] + [size(edge).numel() for edge in edges]
    gains = max(numbers, default=0) <= _THIN and num_tasks * sum(numbers) > _SLIGHT
    measured = [graph.node_of.get(leaf) for leaf in by_rows] + [edge.node for edge in edges]
    joins = bool(layers) and num_tasks > 1 and (gains or route == "factored") and joins_above(graph, measured)
    lengths: list[int] = []
    if ranks.size > 1 and shared:
        length_of, joins = _agreed(layers, joins, shared, ranks)
        alone = [layer for layer in layers if layer.leaves[0] not in length_of]
        why.update({leaf: "rows, as another rank has no factors for it" for layer in alone for leaf in layer.leaves})
        layers = [layer for layer in layers if layer.leaves[0] in length_of]
        lengths = [length_of[layer.leaves[0]] for layer in layers]
    # other reasons follow from what nodes hold
    if known is not None and structure and not layers and all(r.startswith(UNKNOWN) for r in reasons.values()):
        known.note(structure, [why[leaf] for leaf in shared])
    passes = joined if joins else sequential
    route = "factored" if layers else "rows"
    return RoutePlan(passes, route, layers, lengths=lengths, ranks=ranks, why={leaf: why[leaf] for leaf in shared})


class KnownRows(dict[Hashable, Sequence[str]]):
    """Why all went by rows, for structures of the last steps' graphs: to look for layers again would find the same.

    A structure says all that the choice between rows and factors is counted from, and rows are exact for any graph.
    """

    def __reduce__(self) -> tuple[type["KnownRows"], tuple[()]]:
        return KnownRows, ()

    def note(self, structure: Hashable, reasons: Sequence[str]) -> None:
        """Remember one more, and forget the oldest where there are many."""
        if len(self) >= _MOST_KNOWN:
            del self[next(iter(self))]
        self[structure] = reasons


def structure_of(graph: Graph, shared: Sequence[Tensor]) -> Hashable:
    """Kinds of nodes and where their edges lead, the places of the shared leaves, and the sizes of what layers give."""
    number = dict(zip(graph.below, count()))
    place = dict(zip(map(id, shared), count()))
    kinds = tuple(map(type, graph.below))
    of_layers = {kind for kind in set(kinds) if kind.__name__ in KINDS}
    edges = list(chain.from_iterable(graph.below.values()))
    return (
        kinds,
        tuple(map(len, graph.below.values())),
        tuple(map(number.get, map(itemgetter(0), edges))),
        tuple(map(itemgetter(1), edges)),
        tuple(map(place.get, map(id, graph.accumulators.values()))),
        tuple([leaf.shape for leaf in shared]),
        first_output_shapes([node for node, kind in zip(graph.below, kinds, strict=True) if kind in of_layers]),
    )


@lru_cache(maxsize=16)
def _text(route: str, passes: str, names: Sequence[str], reasons: Sequence[str]) -> str:
    """Remembered, since the next step's is nearly always the same."""
    return "\n".join([f"{route}: {passes}", *map("  {}: {}".format, names, reasons)])


def _chosen(
    route: str,
    found: Sequence[Layer],
    shared: Sequence[Tensor],
    num_tasks: int,
    groups: Sequence[Sequence[Tensor]],
    ranks: Ranks,
) -> tuple[list[Layer], dict[Tensor, str]]:
    """Which of the layers are taken by factors, and for the leaves of all why, or why not."""
    group_of = {leaf: number for number, group in enumerate(groups) for leaf in group}
    layers: list[Layer] = []
    why: dict[Tensor, str] = {}
    saved = 0.0  # multiply-adds, by all layers that factors suit
    weighed: list[tuple[Layer, float, bool, bool]] = []
    for layer in found:
        factors, rows = layer.operations(num_tasks), layer.row_operations(num_tasks)
        share = factors / max(rows, 1.0)
        is_whole = len({group_of.get(leaf) for leaf in layer.leaves}) == 1
        suits = is_whole and (route == "factored" or share < _CLEARLY or layer.is_sparse)
        if suits and ranks.size > 1:
            suits = layer.length > 0 and (route == "factored" or _pays(layer, num_tasks, share, ranks))
        saved += rows - factors if suits else 0.0
        weighed.append((layer, share, is_whole, suits))
    is_worth = route != "auto" or saved > _WORTH
    for layer, share, is_whole, suits in weighed:
        taken = suits and (is_worth or layer.is_sparse)
        is_over = taken and route == "low-memory" and not fits(layer, shared, num_tasks)
        taken = taken and not is_over
        layers += [layer] if taken else []
        reason = f"{layer.kind} for which factors cost {share:.2f} of what rows cost"
        if not is_whole:
            reason += ", but whose parts are weighed apart"
        elif layer.is_sparse:
            reason += ", and whose gradient is sparse"
        elif suits and not is_worth:
            reason += ", too little beside what they take to plan"
        elif is_over:
            reason += ", but need more numbers than the parameters have"
        elif route == "factored":
            reason += ", as route='factored' asks"
        why.update(dict.fromkeys(layer.leaves, f"{'factors' if taken else 'rows'}, {reason}"))
    return layers, why


def _by_rows(shared: Sequence[Tensor], layers: Sequence[Layer]) -> list[Tensor]:
    factored = {leaf for layer in layers for leaf in layer.leaves}
    return [leaf for leaf in shared if leaf not in factored]


def _agreed(
    taken: Sequence[Layer], joins: bool, shared: Sequence[Tensor], ranks: Ranks
) -> tuple[dict[Tensor, int], bool]:
    """What the ranks take alike: first leaf of a layer -> the longest of its factors.

    And whether their tasks join, if all take just these.
    """
    by_leaf: Mapping[Tensor, Layer] = {layer.leaves[0]: layer for layer in taken}
    rows = [_shape(by_leaf.get(tensor)) for tensor in shared]
    own = torch.tensor([*rows, [int(joins), len(taken), 0]], device=shared[0].device)
    most, least = ranks.most_(torch.stack([own, -own])).tolist()
    lengths = {}
    for tensor, row, opposite in zip(shared, most, least, strict=False):
        if opposite[0] < 0 and all(a == -b for a, b in zip(row[1:], opposite[1:], strict=True)):
            lengths[tensor] = row[0]
    return lengths, least[-1][0] == -1 and most[-1][1] == -least[-1][1] == len(lengths)


def _pays(layer: Layer, num_tasks: int, share: float, ranks: Ranks) -> bool:
    """Whether factors cost less than rows, and fewer numbers travel; ``share`` is what they cost on one rank."""
    numbers = sum(leaf.numel() for leaf in layer.leaves) * num_tasks
    return layer.is_sparse or (share * ranks.size < 1 and layer.gathered(num_tasks) * ranks.size < numbers)


def _shape(layer: Layer | None) -> list[int]:
    return [0, 0, 0] if layer is None else [layer.length, len(layer.edges), len(layer.leaves)]
