"""Layers by factors over several ranks: which of them all ranks take so, and how long their factors are.

G needs products of gradients across ranks, so the factors of a layer, N·(D_in + K·D_out) numbers, meet on one rank,
its owner; layers are dealt out in turn. What is delivered comes from each rank's own factors.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.gradients.layers.layer import Layer
from equipoise.gradients.ranks import Ranks


def agreed(
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


def pays(layer: Layer, num_tasks: int, share: float, ranks: Ranks) -> bool:
    """Whether factors cost less than rows, and fewer numbers travel; ``share`` is what they cost on one rank."""
    numbers = sum(leaf.numel() for leaf in layer.leaves) * num_tasks
    return layer.is_sparse or (share * ranks.size < 1 and layer.gathered(num_tasks) * ranks.size < numbers)


def _shape(layer: Layer | None) -> list[int]:
    return [0, 0, 0] if layer is None else [layer.length, len(layer.edges), len(layer.leaves)]
