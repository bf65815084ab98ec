"""How a step's gradients are taken: which layers by factors, which tensors by rows, in which backward passes.

Counted from shapes, never timed, so that a run repeats bit for bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Spread
from equipoise.gradients.joint_layers import agreed, pays
from equipoise.gradients.layers import layers_among
from equipoise.gradients.layers.layer import Layer, size
from equipoise.gradients.ranks import Ranks
from equipoise.gradients.routes import Route, batched, joined, sequential
from equipoise.torch_private import saving_runs_hooks

_ALONE = Ranks()

ROUTES = ("auto", "rows", "batched", "factored")

_CLEARLY = 0.85  # share of the operations of rows below which factors are taken; the counts are that good
_SLIGHT = 2**17  # numbers of all tasks and layers below which a batched pass costs more to set up than it saves
_THIN = 2**16  # numbers of a task at a layer up to which K operations cost more than one on K times as many

_BATCHES = {  # nodes known to run K gradients at once by rules of PyTorch's
    "AddBackward0",
    "AddmmBackward0",
    "AliasBackward0",
    "CatBackward0",
    "CloneBackward0",
    "DivBackward0",
    "EluBackward0",
    "ExpBackward0",
    "ExpandBackward0",
    "GeluBackward0",
    "LeakyReluBackward0",
    "LogBackward0",
    "MmBackward0",
    "MulBackward0",
    "NegBackward0",
    "PermuteBackward0",
    "PowBackward0",
    "ReluBackward0",
    "SelectBackward0",
    "SigmoidBackward0",
    "SiluBackward0",
    "SliceBackward0",
    "SoftplusBackward0",
    "SqrtBackward0",
    "SqueezeBackward0",
    "StackBackward0",
    "SubBackward0",
    "SumBackward0",
    "TBackward0",
    "TanhBackward0",
    "ToCopyBackward0",
    "TransposeBackward0",
    "UnsafeViewBackward0",
    "UnsqueezeBackward0",
    "ViewBackward0",
    "MeanBackward1",
    "SqueezeBackward1",
    "SumBackward1",
}
_BATCHES_AT_THE_BOTTOM = {"EmbeddingBackward0", "EmbeddingBagBackward0"}  # asked for, never run


@dataclass
class RoutePlan:
    """Equal mathematics, whatever it says."""

    passes: Route
    route: str = "rows"
    layers: list[Layer] = field(default_factory=list)
    spread: Spread = "whole"  # where the rows lie, over several ranks
    lengths: list[int] = field(default_factory=list)  # of the layers' factors, over several ranks
    why: dict[Tensor, str] = field(default_factory=dict)  # for each shared tensor

    def describe(self, names: Sequence[str]) -> str:
        """The route, and a line for each shared tensor."""
        passes: dict[Route, str] = {sequential: "one backward pass per task", batched: "one batched backward pass"}
        first = passes.get(self.passes, "one batched backward pass below the join of the tasks")
        return "\n".join([f"{self.route}: {first}", *map("  {}: {}".format, names, self.why.values())])


def plan_of(
    route: str,
    shared: Sequence[Tensor],
    graph: Graph,
    num_tasks: int,
    groups: Sequence[Sequence[Tensor]] = (),
    ranks: Ranks = _ALONE,
) -> RoutePlan:
    """What the route means for these losses.

    ``"rows"`` and ``"batched"`` know no layers; ``"factored"`` takes factors wherever there are some, ``"auto"``
    where they cost clearly fewer operations than rows. A layer that lies in several groups has no factors of its own
    for each, and is taken by rows. Several ranks take by factors what every one of them would.
    """
    if route in ("rows", "batched"):
        passes: Route = sequential if route == "rows" else batched
        return RoutePlan(passes, route, why=dict.fromkeys(shared, "rows, as for everything on this route"))
    found, reasons = layers_among(shared, graph)
    group_of = {leaf: number for number, group in enumerate(groups) for leaf in group}
    layers, why = [], {leaf: f"rows, {reason}" for leaf, reason in reasons.items()}
    for layer in found:
        share = layer.operations(num_tasks) / max(layer.row_operations(num_tasks), 1.0)
        is_whole = len({group_of.get(leaf) for leaf in layer.leaves}) == 1
        taken = is_whole and (route == "factored" or share < _CLEARLY or layer.is_sparse)
        if taken and ranks.size > 1:
            taken = layer.length > 0 and (route == "factored" or pays(layer, num_tasks, share, ranks))
        layers += [layer] if taken else []
        reason = f"{layer.kind} for which factors cost {share:.2f} of what rows cost"
        if not is_whole:
            reason += ", but whose parts are weighed apart"
        elif layer.is_sparse:
            reason += ", and whose gradient is sparse"
        elif route == "factored":
            reason += ", as route='factored' asks"
        why.update(dict.fromkeys(layer.leaves, f"{'factors' if taken else 'rows'}, {reason}"))
    by_rows = _by_rows(shared, layers)
    edges = [edge for layer in layers for edge in layer.edges]
    numbers = [leaf.numel() for leaf in by_rows] + [size(edge).numel() for edge in edges]
    gains = max(numbers, default=0) <= _THIN and num_tasks * sum(numbers) > _SLIGHT
    measured = [graph.node_of.get(leaf) for leaf in by_rows] + [edge.node for edge in edges]
    joins = bool(layers) and num_tasks > 1 and (gains or route == "factored") and _joins(graph, measured)
    lengths: list[int] = []
    if ranks.size > 1 and shared:
        length_of, joins = agreed(layers, joins, shared, ranks)
        alone = [layer for layer in layers if layer.leaves[0] not in length_of]
        why.update({leaf: "rows, as another rank has no factors for it" for layer in alone for leaf in layer.leaves})
        layers = [layer for layer in layers if layer.leaves[0] in length_of]
        lengths = [length_of[layer.leaves[0]] for layer in layers]
    passes = joined if joins else sequential
    route = "factored" if layers else "rows"
    return RoutePlan(passes, route, layers, lengths=lengths, why={leaf: why[leaf] for leaf in shared})


def _by_rows(shared: Sequence[Tensor], layers: Sequence[Layer]) -> list[Tensor]:
    factored = {leaf for layer in layers for leaf in layer.leaves}
    return [leaf for leaf in shared if leaf not in factored]


def _joins(graph: Graph, measured: Sequence[Any]) -> bool:
    """Whether all tasks join above all that is measured, were apart before and are not again, in nodes that batch."""
    nodes, entries = graph.joint
    heads = {entry.node for entry in entries}
    if not nodes.issuperset(measured) or any(root.node in nodes for root in graph.roots):
        return False
    if any(
        graph.leaves.get(leaf, 0).bit_count() > 1 and node not in nodes for node, leaf in graph.accumulators.items()
    ):
        return False
    apart = [edge for node in graph.nodes if node not in nodes for edge in graph.edges(node)]
    if any(bits.bit_count() > 1 and node in nodes for (node, _), bits in apart):
        return False
    ends = set(measured)
    for node in nodes:
        name = type(node).__name__
        below = [n for n, _ in graph.below[node] if n is not None]
        if any(n in heads for n in below):
            return False
        is_end = name in _BATCHES_AT_THE_BOTTOM and node in ends and len(below) == 1 and node not in heads
        if name not in _BATCHES and node not in graph.accumulators and not is_end:
            return False
        if saving_runs_hooks(node):  # a checkpoint would run its forward pass inside the batched one
            return False
    return bool(entries)
