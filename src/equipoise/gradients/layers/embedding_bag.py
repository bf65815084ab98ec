"""Sums of looked-up rows: a linear layer whose inputs A [N, U] are the shares of the U tokens in the N bags."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.nn import functional

from equipoise.gradients.layers.embedding import renumbered
from equipoise.gradients.layers.layer import MOVED, Layer, like, safe, size
from equipoise.gradients.layers.uses import Use, signed
from equipoise.gradients.products import inner_products

_MEAN, _MAX = 1, 2


class EmbeddingBag(Layer):
    """A table [V, D] whose rows are summed, averaged or weighted over N bags of T tokens in all."""

    kind = "embedding bag"

    def __init__(self, table: Tensor, use: Use) -> None:
        super().__init__([table], [GradientEdge(use.node, 0)])
        node = use.node
        self.num_bags = size(self.edges[0])[0]
        self.tokens = node._saved_indices
        end = self.tokens.new_tensor([len(self.tokens)])
        self.offsets = node._saved_offsets
        self.lengths = torch.diff(self.offsets[: self.num_bags], append=end)
        self.bags = torch.arange(self.num_bags, device=end.device).repeat_interleave(self.lengths)  # of each token
        self.maxima = node._saved_result3  # the token that each number of an output [N, D] comes from
        self.token_weights = node._saved_per_sample_weights
        self.mode, self.sparse = node._saved_mode, node._saved_sparse
        self.padding = signed(node._saved_padding_idx)

    def operations(self, num_tasks: int) -> float:
        n, tokens, width = self.num_bags, len(self.tokens), self.leaves[0].shape[1]
        products: float = num_tasks * n * n * width + num_tasks**2 * n * width
        return products + MOVED * tokens * (n + width)

    def row_operations(self, num_tasks: int) -> float:
        return num_tasks * self.leaves[0].numel() * (num_tasks + 1 + MOVED)

    def products(self, dtype: torch.dtype) -> Tensor:
        (outputs,) = self.at_outputs(dtype)  # B [K, N, D]
        kernel = self._kernel(dtype)
        products = inner_products(outputs.flatten(1), (kernel @ outputs).flatten(1))
        return safe(products, kernel.diagonal())

    def combine(self, weights: Tensor) -> list[Tensor]:
        (outputs,) = self.combined_at_outputs(weights)
        (table,) = self.leaves
        counts = self._counts().to(self.tokens.dtype)
        token_weights = None if self.token_weights is None else self.token_weights.detach().to(outputs.dtype)
        places = (self.tokens, self.offsets, self.bags, counts, self.maxima)
        options = (len(table), False, self.mode, self.sparse, token_weights, self.padding)
        gradient = torch.ops.aten._embedding_bag_backward(outputs, *places, *options)
        return [like(gradient, table)]

    def _counts(self) -> Tensor:
        """How many tokens of each bag [N] are not padding."""
        counts = torch.zeros_like(self.lengths)
        return counts.index_add_(0, self.bags, (self.tokens != self.padding).to(counts.dtype))

    def _shares(self, dtype: torch.dtype) -> Tensor:
        """How much of each token [T] is in its bag."""
        is_counted = self.tokens != self.padding
        if self.token_weights is not None:
            shares = self.token_weights.detach().to(dtype)
        elif self.mode == _MEAN:
            shares = self._counts().clamp(min=1)[self.bags].to(dtype).reciprocal()
        else:
            shares = torch.ones(len(self.tokens), dtype=dtype, device=self.tokens.device)
        counted: Tensor = shares * is_counted
        return counted

    def _kernel(self, dtype: torch.dtype) -> Tensor:
        """A Aᵀ [N, N]: the bags, each summing columns of A."""
        shares = self._shares(dtype)
        (places,), num_places = renumbered([self.tokens], len(self.leaves[0]))
        columns = torch.zeros(num_places, self.num_bags, dtype=dtype, device=shares.device)  # Aᵀ [U, N]
        columns.view(-1).index_add_(0, places * self.num_bags + self.bags, shares)
        starts = self.lengths.cumsum(dim=0) - self.lengths
        kernel: Tensor = functional.embedding_bag(places, columns, starts, mode="sum", per_sample_weights=shares)
        return kernel


class MaximaBag(EmbeddingBag):
    """The same of maxima: a number of B_k belongs to one token, so g_k [U, D] is B_k put in its places."""

    kind = "embedding bag of maxima"

    def operations(self, num_tasks: int) -> float:
        numbers = num_tasks * min(len(self.tokens), len(self.leaves[0])) * self.leaves[0].shape[1]
        return numbers * (num_tasks + 1 + MOVED)

    def products(self, dtype: torch.dtype) -> Tensor:
        full = self._counts() > 0
        (places,), num_places = renumbered([self.maxima[full]], len(self.leaves[0]))
        (outputs,) = self.at_outputs(dtype)
        num_tasks, _, width = outputs.shape
        where = places * width + torch.arange(width, device=places.device)
        rows = torch.zeros(num_tasks, num_places * width, dtype=dtype, device=outputs.device)
        rows.index_add_(1, where.flatten(), outputs[:, full].flatten(1))
        return inner_products(rows, rows)


def embedding_bag(table: Tensor, uses: Sequence[Use], bias: Tensor | None) -> EmbeddingBag | str:
    """The layer whose table has this use, or why it has no factors."""
    if len(uses) > 1:
        return "used in several embedding bags"
    (use,) = uses
    node = use.node
    if use.transposed or use.operand != 0:
        return "not the table of an embedding bag"
    if node._saved_scale_grad_by_freq:
        return "an embedding bag that divides by frequency"
    return (MaximaBag if node._saved_mode == _MAX else EmbeddingBag)(table, use)
