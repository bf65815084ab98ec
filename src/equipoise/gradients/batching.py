"""Whether the K backward passes below the join of the tasks may be one pass with K seeds."""

from collections.abc import Sequence
from typing import Any

from equipoise.gradients.graph import Graph
from equipoise.torch_private.autograd import saving_runs_hooks

AT_THE_BOTTOM = {"EmbeddingBackward0", "EmbeddingBagBackward0"}  # asked for, never run

BATCHES = {  # nodes known to run K gradients at once by rules of PyTorch's
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


def joins_above(graph: Graph, measured: Sequence[Any]) -> bool:
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
        is_end = name in AT_THE_BOTTOM and node in ends and len(below) == 1 and node not in heads
        if name not in BATCHES and node not in graph.accumulators and not is_end:
            return False
        if saving_runs_hooks(node):  # a checkpoint would run its forward pass inside the batched one
            return False
    return bool(entries)
