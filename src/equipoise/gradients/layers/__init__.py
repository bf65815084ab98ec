"""Layers whose task gradients have factors, found in the graph of the losses; one kind per file.

layer           what they have in common: gradients B_k at the outputs come in, products and a weighted sum go out
linear          matrix products: nn.Linear, attention's projections, hand-written ones
embedding       lookups
embedding_bag   sums and means of lookups
tied            lookups and products of one weight, or products with it and with its transpose
convolution     kernels over few positions
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from torch import Tensor

from equipoise.gradients.graph import Graph
from equipoise.gradients.layers.convolution import convolution_of
from equipoise.gradients.layers.embedding import embedding_of
from equipoise.gradients.layers.embedding_bag import embedding_bag_of
from equipoise.gradients.layers.layer import Layer, Use
from equipoise.gradients.layers.linear import adds_bias, has_rows_of_inputs, linear_of
from equipoise.gradients.layers.tied import tied_of
from equipoise.torch_private.autograd import HOOKS_ARE_SEEN, saved, saving_runs_hooks

_Find = Callable[[Tensor, Sequence[Use], Tensor | None], Layer | str]

_HIDDEN = (
    "used in a checkpoint or under hooks for saved tensors"
    if HOOKS_ARE_SEEN
    else "PyTorch up to 2.8 does not tell whether hooks hide what was saved"
)
UNKNOWN = "no factors are known where"
KINDS: dict[str, _Find] = {
    "AddmmBackward0": linear_of,
    "MmBackward0": linear_of,
    "EmbeddingBackward0": embedding_of,
    "EmbeddingBagBackward0": embedding_bag_of,
    "ConvolutionBackward0": convolution_of,
}


def layers_among(leaves: Sequence[Tensor], graph: Graph) -> tuple[list[Layer], dict[Tensor, str]]:
    """The layers that these leaves make up, and for every other leaf why it has no factors."""
    consumers = graph.consumers()
    uses = {leaf: _uses_of(graph.node_of[leaf], consumers) for leaf in leaves if leaf in graph.node_of}
    biases = {
        frozenset(use.node for use in ways): leaf
        for leaf, ways in uses.items()
        if leaf.dim() == 1 and all(_adds_bias(use) for use in ways)
    }
    layers: list[Layer] = []
    reasons = {leaf: "no loss of this rank reaches it" for leaf in leaves if leaf not in uses}
    for leaf, ways in uses.items():
        found = _layer_of(leaf, ways, biases)
        if isinstance(found, str):
            reasons[leaf] = found
        else:
            layers.append(found)
    for layer in layers:
        for leaf in layer.leaves:
            reasons.pop(leaf, None)
    return layers, reasons


def _layer_of(leaf: Tensor, uses: Sequence[Use], biases: Mapping[frozenset[Any], Tensor]) -> Layer | str:
    """The layer whose first leaf this is, or why it has no factors."""
    names = {use.name for use in uses}
    if leaf.dim() == 1 or not names <= KINDS.keys():
        return _unknown(names)
    if any(map(saving_runs_hooks, [use.node for use in uses])):
        return _HIDDEN
    forms: dict[tuple[_Find, bool], list[Use]] = {}
    for use in uses:
        find = KINDS[use.name]
        forms.setdefault((find, find is linear_of and has_rows_of_inputs(use)), []).append(use)
    parts = []
    for (find, _), alike in forms.items():
        part = find(leaf, alike, biases.get(frozenset(use.node for use in alike)))
        if isinstance(part, str):
            return part
        parts.append(part)
    return parts[0] if len(parts) == 1 else tied_of(parts) or _unknown(names)


def _unknown(names: Iterable[str]) -> str:
    return f"{UNKNOWN} {' and '.join(sorted(names))} use it"


def _adds_bias(use: Use) -> bool:
    return adds_bias(use) or (use.name == "ConvolutionBackward0" and use.operand == 2)


def _uses_of(accumulator: Any, consumers: Mapping[Any, Sequence[tuple[Any, int]]]) -> list[Use]:
    """All uses of the parameter behind an accumulator, through views and casts, in a fixed order."""
    uses: list[Use] = []
    ways = [(accumulator, False)]
    while ways:
        node, transposed = ways.pop()
        for consumer, operand in consumers.get(node, ()):
            name = type(consumer).__name__
            if name == "ToCopyBackward0":
                ways.append((consumer, transposed))
            elif name in _TRANSPOSES and _TRANSPOSES[name](consumer):
                ways.append((consumer, not transposed))
            else:
                uses.append(Use(consumer, name, operand, transposed))
    return uses


def _always(node: Any) -> bool:
    return True


def _swaps(node: Any) -> bool:
    return bool((saved(node, "dim0") - saved(node, "dim1")) % 2 == 1)


def _permutes(node: Any) -> bool:
    return len(saved(node, "dims")) == 2 and bool(saved(node, "dims")[0] % 2 == 1)


# what may transpose a matrix, and whether this one does
_TRANSPOSES: dict[str, Callable[[Any], bool]] = {
    "TBackward0": _always,
    "TransposeBackward0": _swaps,
    "PermuteBackward0": _permutes,
}
