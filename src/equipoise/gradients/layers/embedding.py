"""A table of which a batch looks up few rows: g_k is zero in all others, so K gradients of the U rows that occur do."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from equipoise.gradients.layers.layer import MOVED, SET_UP, Layer, Products, Use, like, padded, products_of_rows
from equipoise.gradients.products import Factors
from equipoise.gradients.ranks import Ranks
from equipoise.torch_private.autograd import saved


class Embedding(Layer):
    """A table [V, D], looked up once or several times.

    Args:
        table: The parameter.
        uses: Its lookups.
        indices: What each looked up, of any shape.
    """

    kind = "embedding"

    def __init__(self, table: Tensor, uses: Sequence[Use], indices: list[Tensor]) -> None:
        super().__init__([table], [GradientEdge(use.node, 0) for use in uses])
        self.indices = indices
        self.options = [(saved(use.node, "padding_idx"), saved(use.node, "scale_grad_by_freq")) for use in uses]
        self.sparse = [saved(use.node, "sparse") for use in uses]
        self.is_sparse = all(self.sparse)
        self.num_lookups = sum(index.numel() for index in indices)

    def operations(self, num_tasks: int) -> float:
        rows, width = self.leaves[0].shape
        occurring = min(self.num_lookups, rows) * width
        return SET_UP + (2 * num_tasks + 1) * self.num_lookups * width * MOVED + num_tasks**2 * occurring

    def row_operations(self, num_tasks: int) -> float:
        rows, width = self.leaves[0].shape
        return num_tasks * width * ((self.num_lookups + rows) * MOVED + (num_tasks + 1) * rows)

    def products(self, dtype: torch.dtype) -> Products:
        rows = self.rows(dtype, *renumbered(self.indices, len(self.leaves[0])))
        return products_of_rows(rows.flatten(1))

    def rows(self, dtype: torch.dtype, places: Sequence[Tensor], num_places: int) -> Tensor:
        """The tasks' gradients by the rows that occur [K, U, D], as ``renumbered`` numbers them."""
        outputs = self.at_outputs(dtype)
        return torch.stack([self._rows([b[k] for b in outputs], places, num_places) for k in range(len(outputs[0]))])

    def combined_rows(self, weights: Factors, places: Sequence[Tensor], num_places: int) -> Tensor:
        """Their weighted sum [U, D]."""
        return self._rows(self.combined_at_outputs(weights), places, num_places)

    @property
    def length(self) -> int:
        divides = any(by_frequency for _, by_frequency in self.options)  # by that of a rank's own lookups
        return 0 if divides else max(index.numel() for index in self.indices)

    def gathered(self, num_tasks: int) -> int:
        return self.num_lookups * (1 + num_tasks * self.leaves[0].shape[1])

    def of_all_ranks(self, ranks: Ranks, owner: int, length: int) -> "Embedding | None":
        outputs = [b.flatten(1, -2) for b in self.at_outputs(self.dtype)]
        indices = [ranks.gathered_at(owner, padded(at.flatten(), length, dim=0), dim=0) for at in self.indices]
        joint = [ranks.gathered_at(owner, padded(b, length, dim=1), dim=1) for b in outputs]
        if joint[0] is None:
            return None
        twin = self.with_gradients([b for b in joint if b is not None])
        twin.indices = [at for at in indices if at is not None]
        return twin

    def combine(self, weights: Factors) -> list[Tensor]:
        (table,) = self.leaves
        terms = zip(self.combined_at_outputs(weights), self.indices, self.options, self.sparse, strict=True)
        backward = torch.ops.aten.embedding_backward
        return [like(_sum([backward(b, at, len(table), *options, sparse) for b, at, options, sparse in terms]), table)]

    def _rows(self, outputs: Sequence[Tensor], places: Sequence[Tensor], num_places: int) -> Tensor:
        """The gradient by the rows that occur [U, D], from that at the output of each use."""
        terms = []
        for b, at, place, (padding, by_frequency) in zip(outputs, self.indices, places, self.options, strict=True):
            counted = b if padding < 0 else b.masked_fill((at == padding).unsqueeze(-1), 0.0)
            terms.append(torch.ops.aten.embedding_dense_backward(counted, place, num_places, -1, by_frequency))
        return _sum(terms)


def _sum(terms: Sequence[Tensor]) -> Tensor:
    first, *others = sorted(terms, key=lambda term: term.is_sparse)  # sparse may be added to dense, not dense to sparse
    return sum(others, first)


def renumbered(indices: Sequence[Tensor], num_rows: int) -> tuple[list[Tensor], int]:
    """The indices, numbered anew from 0 to U - 1, and U, the number of different ones."""
    occurs = torch.zeros(num_rows, dtype=torch.bool, device=indices[0].device)
    for index in indices:
        occurs[index.flatten()] = True
    place = occurs.cumsum(dim=0) - 1
    return [place[index] for index in indices], int(place[-1]) + 1


def embedding_of(table: Tensor, uses: Sequence[Use], bias: Tensor | None) -> Embedding | str:
    """The layer whose table has these lookups, or why it has no factors."""
    if not table.numel():
        return "empty"
    if any(use.transposed for use in uses):
        return "transposed before it is looked up"
    return Embedding(table, uses, [saved(use.node, "indices") for use in uses])
