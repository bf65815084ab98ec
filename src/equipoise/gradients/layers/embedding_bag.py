"""Sums of looked-up rows: a linear layer whose inputs A [N, U] are the shares of the U tokens in the N bags."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.nn import functional

from equipoise.gradients.layers.embedding import renumbered
from equipoise.gradients.layers.layer import MOVED, Layer, like, safe
from equipoise.gradients.layers.uses import Use, signed
from equipoise.gradients.products import inner_products

_MEAN, _MAX = 1, 2


class EmbeddingBag(Layer):
    """A table [V, D] whose rows are summed, averaged or weighted over N bags of T tokens in all."""

    kind = "embedding bag"

    def __init__(self, table: Tensor, use: Use) -> None:
        super().__init__([table], [GradientEdge(use.node, 0)])
        node = use.node
        self.num_bags = node._input_metadata[0].shape[0]
        self.tokens = node._saved_indices
        end = self.tokens.new_tensor([len(self.tokens)])
        self.lengths = torch.diff(node._saved_offsets[: self.num_bags], append=end)
        self.bags = torch.arange(self.num_bags, device=end.device).repeat_interleave(self.lengths)  # of each token
        self.token_weights = node._saved_per_sample_weights
        self.mode, self.sparse = node._saved_mode, node._saved_sparse
        self.padding = signed(node._saved_padding_idx)

    def operations(self, num_tasks: int) -> float:
        n, tokens, width = self.num_bags, len(self.tokens), self.leaves[0].shape[1]
        kernel = MOVED * tokens * n
        return kernel + num_tasks * n * n * width + num_tasks**2 * n * width + MOVED * tokens * width

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
        terms = outputs[self.bags] * self._shares(outputs.dtype)[:, None]
        backward = torch.ops.aten.embedding_backward
        return [like(backward(terms, self.tokens, len(table), self.padding, False, self.sparse), table)]

    def _shares(self, dtype: torch.dtype) -> Tensor:
        """How much of each token [T] is in its bag."""
        is_counted = self.tokens != self.padding
        if self.token_weights is not None:
            shares = self.token_weights.detach().to(dtype)
        elif self.mode == _MEAN:
            sizes = torch.zeros(self.num_bags, dtype=dtype, device=self.bags.device)
            sizes.index_add_(0, self.bags, is_counted.to(dtype))
            shares = sizes.clamp(min=1)[self.bags].reciprocal()
        else:
            shares = torch.ones(len(self.tokens), dtype=dtype, device=self.tokens.device)
        return shares * is_counted

    def _kernel(self, dtype: torch.dtype) -> Tensor:
        """A Aᵀ [N, N]: the bags, each summing columns of A."""
        shares = self._shares(dtype)
        (places,), num_places = renumbered([self.tokens], len(self.leaves[0]))
        columns = torch.zeros(num_places, self.num_bags, dtype=dtype, device=shares.device)  # Aᵀ [U, N]
        columns.view(-1).index_add_(0, places * self.num_bags + self.bags, shares)
        starts = self.lengths.cumsum(dim=0) - self.lengths
        return functional.embedding_bag(places, columns, starts, mode="sum", per_sample_weights=shares)


def embedding_bag(table: Tensor, uses: Sequence[Use], bias: Tensor | None) -> EmbeddingBag | str:
    """The layer whose table has this use, or why it has no factors."""
    if len(uses) > 1:
        return "used in several embedding bags"
    (use,) = uses
    node = use.node
    if use.transposed or use.operand != 0:
        return "not the table of an embedding bag"
    if node._saved_mode == _MAX:
        return "an embedding bag that takes maxima"
    if node._saved_scale_grad_by_freq:
        return "an embedding bag that divides by frequency"
    names = ("indices", "offsets", "per_sample_weights")
    if any(getattr(node, f"_raw_saved_{name}").unpack_hook is not None for name in names):
        return "saved by a hook or a checkpoint"
    return EmbeddingBag(table, use)
