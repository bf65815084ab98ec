"""Layers whose task gradients have factors, found in the graph of the losses; one kind per file.

layer           what they have in common: gradients B_k at the outputs come in, products and a weighted sum go out
uses            how a parameter is used, read from the graph
linear          matrix products: nn.Linear, attention's projections, hand-written ones
embedding       lookups
embedding_bag   sums and means of lookups
convolution     kernels over few positions
"""

from collections.abc import Callable, Sequence

from torch import Tensor

from equipoise.gradients.graph import Graph
from equipoise.gradients.layers.convolution import convolution_of
from equipoise.gradients.layers.embedding import embedding_of
from equipoise.gradients.layers.embedding_bag import embedding_bag_of
from equipoise.gradients.layers.layer import Layer
from equipoise.gradients.layers.linear import adds_bias, linear_of
from equipoise.gradients.layers.uses import Use, runs_hooks, uses_of

_Find = Callable[[Tensor, Sequence[Use], Tensor | None], Layer | str]

_KINDS: dict[str, _Find] = {
    "AddmmBackward0": linear_of,
    "MmBackward0": linear_of,
    "EmbeddingBackward0": embedding_of,
    "EmbeddingBagBackward0": embedding_bag_of,
    "ConvolutionBackward0": convolution_of,
}


def layers_among(leaves: Sequence[Tensor], graph: Graph) -> tuple[list[Layer], dict[Tensor, str]]:
    """The layers that these leaves make up, and for every other leaf why it has no factors."""
    consumers = graph.consumers()
    uses = {leaf: uses_of(graph.node_of[leaf], consumers) for leaf in leaves if leaf in graph.node_of}
    biases = {
        frozenset(use.node for use in ways): leaf
        for leaf, ways in uses.items()
        if leaf.dim() == 1 and all(_adds_bias(use) for use in ways)
    }
    layers: list[Layer] = []
    reasons = {leaf: "no loss of this rank reaches it" for leaf in leaves if leaf not in uses}
    for leaf, ways in uses.items():
        finders = {_KINDS.get(use.name) for use in ways}
        if len(finders) != 1 or None in finders or leaf.dim() == 1:
            reasons[leaf] = f"no factors are known where {' and '.join(sorted({use.name for use in ways}))} use it"
            continue
        if any(runs_hooks(use.node) for use in ways):
            reasons[leaf] = "used in a checkpoint or under hooks for saved tensors"
            continue
        find = finders.pop()
        assert find is not None
        found = find(leaf, ways, biases.get(frozenset(use.node for use in ways)))
        if isinstance(found, str):
            reasons[leaf] = found
        else:
            layers.append(found)
    for layer in layers:
        for leaf in layer.leaves:
            reasons.pop(leaf, None)
    return layers, reasons


def _adds_bias(use: Use) -> bool:
    return adds_bias(use) or (use.name == "ConvolutionBackward0" and use.operand == 2)
