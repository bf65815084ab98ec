"""One weight in several forms, as a table and as the layer that makes logits: g_k is a sum, so G has cross terms.

The gradient of a lookup is zero outside the U rows that occur, so of a product's gradient only these rows meet it:
⟨e_i, B_jᵀ A⟩ = ⟨e_i [U, D], (B_j[:, ids])ᵀ A⟩. That of a weight and that of its transpose meet over their samples:
⟨B_iᵀ A, Cᵀ D_j⟩ = ⟨B_i Cᵀ, A D_jᵀ⟩, two [N, N'].
"""

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

from equipoise.gradients.layers.embedding import Embedding, renumbered
from equipoise.gradients.layers.layer import MOVED, Layer, Products, end_to_end
from equipoise.gradients.layers.linear import Linear
from equipoise.gradients.products import Factors, symmetric_products


class Tied(Layer):
    """A weight that is looked up, multiplied by, and multiplied by in transposed form: at least two of these.

    Args:
        linears: Its products, one ``Linear`` for each orientation.
        embedding: Its lookups.
    """

    def __init__(self, linears: Sequence[Linear], embedding: Embedding | None) -> None:
        self.linears, self.embedding = linears, embedding
        self.parts: list[Layer] = [*linears] if embedding is None else [embedding, *linears]
        leaves = dict.fromkeys(leaf for part in linears for leaf in part.leaves)
        super().__init__(list(leaves), [edge for part in self.parts for edge in part.edges])
        kinds = [part.kind for part in self.parts]
        if len(linears) == 2:
            kinds[-1] = "transposed linear"
        self.kind = " and ".join(", ".join(kinds).rsplit(", ", 1))

    def operations(self, num_tasks: int) -> float:
        return sum(part.operations(num_tasks) for part in self.parts) + self._cross_operations(num_tasks)

    def _cross_operations(self, num_tasks: int) -> float:
        weight = self.leaves[0]
        total = 0.0
        if self.embedding is not None:
            rows = min(self.embedding.num_lookups, len(weight))
            for linear in self.linears:
                gathered = linear.num_inputs * rows * (1 if linear.is_in_out else num_tasks)
                total += num_tasks * linear.num_inputs * rows * weight.shape[1] + MOVED * gathered
                total += 2 * num_tasks**2 * rows * weight.shape[1]
        if len(self.linears) == 2:
            pairs = self.linears[0].num_inputs * self.linears[1].num_inputs
            total += num_tasks * pairs * (sum(weight.shape) + 2 * num_tasks)
        return total

    def row_operations(self, num_tasks: int) -> float:
        # autograd forms a gradient of each form's own, but only their sum is multiplied and combined
        twice = (len(self.parts) - 1) * num_tasks * (num_tasks + 1) * self.leaves[0].numel()
        return sum(part.row_operations(num_tasks) for part in self.parts) - twice

    def write(self, num_tasks: int, gradients: Sequence[Tensor | None]) -> None:
        first = 0
        for part in self.parts:
            part.write(num_tasks, gradients[first : first + len(part.edges)])
            first += len(part.edges)

    def forget(self) -> None:
        for part in self.parts:
            part.forget()

    def products(self, dtype: torch.dtype) -> Products:
        own = [part.products(dtype) for part in self.parts]
        products = torch.stack([found.products for found in own]).sum(dim=0)
        if self.embedding is not None:
            rows = self.embedding.rows(dtype, *self._places)
            for linear in self.linears:
                products += symmetric_products(rows.flatten(1), linear.rows(dtype, self._occurring).flatten(1))
        if len(self.linears) == 2:
            one, other = self.linears
            products += symmetric_products(*_meeting(one, other, dtype))
        return Products(products, torch.stack([found.terms for found in own]).sum(dim=0))

    def combine(self, weights: Factors) -> list[Tensor]:
        gradients: dict[Tensor, Tensor] = {}
        for linear in self.linears:
            for leaf, gradient in zip(linear.leaves, linear.combine(weights), strict=True):
                gradients[leaf] = gradients[leaf].add_(gradient) if leaf in gradients else gradient
        if self.embedding is not None:
            rows = self.embedding.combined_rows(weights, *self._places)
            weight = gradients[self.leaves[0]]
            weight.index_add_(0, self._occurring, rows.to(weight))  # no row twice: in no order that matters
        return [gradients[leaf] for leaf in self.leaves]

    def is_nonzero(self, row: int) -> bool:
        return any(part.is_nonzero(row) for part in self.parts)

    @cached_property
    def _places(self) -> tuple[list[Tensor], int]:
        """What each lookup meant among the U rows that occur, and U."""
        assert self.embedding is not None
        return renumbered(self.embedding.indices, len(self.leaves[0]))

    @cached_property
    def _occurring(self) -> Tensor:
        """The U rows that occur, in order."""
        assert self.embedding is not None
        places, num_places = self._places
        rows = places[0].new_empty(num_places)
        for index, place in zip(self.embedding.indices, places, strict=True):
            rows[place] = index.to(rows.dtype)
        return rows


def _meeting(one: Linear, other: Linear, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """What a weight's gradients [K, N N'] are multiplied with where they meet those of its transpose."""
    (inputs, outputs), (others, their_outputs) = one.operands(dtype), other.operands(dtype)
    left = end_to_end([b @ others.mT for b in outputs], dim=0)
    right = end_to_end([inputs @ b.mT for b in their_outputs], dim=0)
    return left.flatten(1), right.flatten(1)


def tied_of(parts: Sequence[Layer]) -> Tied | None:
    """The layer of which these are parts on one weight, or ``None`` where their cross terms are not known."""
    linears = [part for part in parts if isinstance(part, Linear)]
    others = [part for part in parts if not isinstance(part, Linear)]
    if not linears or len(others) > 1 or not all(isinstance(part, Embedding) for part in others):
        return None
    return Tied(linears, others[0] if others else None)  # type: ignore[arg-type]  # embeddings, as was asked
