"""Sums of looked-up rows: a linear layer whose inputs A [N, U] are the shares of the U tokens in the N bags."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from equipoise.gradients.layers.embedding import renumbered
from equipoise.gradients.layers.layer import (
    MOVED,
    SET_UP,
    Layer,
    Products,
    Use,
    like,
    product_operations,
    products_of,
    products_of_rows,
    size,
)
from equipoise.gradients.products import Factors
from equipoise.torch_private.autograd import saved
from equipoise.torch_private.tensors import embedding_bag_backward

_MEAN, _MAX = 1, 2


class EmbeddingBag(Layer):
    """A table [V, D] whose rows are summed, averaged or weighted over N bags of T tokens in all."""

    kind = "embedding bag"

    def __init__(self, table: Tensor, use: Use) -> None:
        super().__init__([table], [GradientEdge(use.node, 0)])
        node = use.node
        self.num_bags = size(self.edges[0])[0]
        self.tokens = saved(node, "indices")
        # offsets, bags of tokens and sizes of bags, as PyTorch keeps them
        self.bounds: tuple[Tensor, ...] = tuple(saved(node, name) for name in ("offsets", "result1", "result2"))
        self.token_weights = saved(node, "per_sample_weights")
        self.mode, self.sparse = saved(node, "mode"), saved(node, "sparse")
        self.is_sparse = bool(self.sparse)
        self.padding = saved(node, "padding_idx")
        # tokens of each bag but for padding, of means and maxima at least; CUDA may leave room for one bag more
        self.sizes: Tensor = self.bounds[2][: self.num_bags]
        self.maxima = saved(node, "result3")  # the token that each number of an output [N, D] comes from

    def operations(self, num_tasks: int) -> float:
        n, tokens, width = self.num_bags, len(self.tokens), self.leaves[0].shape[1]
        return SET_UP + product_operations(n, width, num_tasks) + MOVED * tokens * (n + width)

    def row_operations(self, num_tasks: int) -> float:
        return num_tasks * self.leaves[0].numel() * (num_tasks + 1 + MOVED)

    def products(self, dtype: torch.dtype) -> Products:
        (outputs,) = self.at_outputs(dtype)  # B [K, N, D]
        return products_of(self._input_products(dtype), [outputs])

    def combine(self, weights: Factors) -> list[Tensor]:
        (outputs,) = self.combined_at_outputs(weights)
        (table,) = self.leaves
        lookups = (self.tokens, *self.bounds, self.maxima)
        per_token = None if self.token_weights is None else self.token_weights.detach().to(outputs.dtype)
        options = (len(table), False, self.mode, self.sparse, per_token, self.padding)
        return [like(embedding_bag_backward(outputs, *lookups, *options), table)]

    def _input_products(self, dtype: torch.dtype) -> Tensor:
        """A Aᵀ [N, N]: the bags, each summing columns of A; a token that occurs once meets only itself."""
        bags, shares = self._bag_of_each(), self._share_of_each(dtype)
        is_again = torch.bincount(self.tokens, minlength=len(self.leaves[0]))[self.tokens] > 1
        alone = shares.masked_fill(is_again, 0.0).square()
        products = torch.zeros(self.num_bags, dtype=dtype, device=bags.device).index_add_(0, bags, alone).diag()
        (again,) = is_again.nonzero(as_tuple=True)
        tokens, bags, shares = self.tokens[again], bags[again], shares[again]
        (places,), num_places = renumbered([tokens], len(self.leaves[0]))
        columns = torch.zeros(num_places, self.num_bags, dtype=dtype, device=bags.device)  # Aᵀ [U, N]
        columns.view(-1).index_add_(0, places * self.num_bags + bags, shares)
        products.index_add_(0, bags, columns[places] * shares[:, None])
        if self.mode != _MEAN:
            return products
        per_bag = self.sizes.clamp(min=1).to(dtype).reciprocal()
        return products.mul_(per_bag).mul_(per_bag[:, None])

    def _bag_of_each(self) -> Tensor:
        """The bag of each token [T]."""
        offsets, bags, _ = self.bounds
        if len(bags) == len(self.tokens):  # PyTorch leaves them out where it has no use for them
            return bags
        lengths = torch.diff(offsets[: self.num_bags], append=offsets.new_tensor([len(self.tokens)]))
        return torch.arange(self.num_bags, device=lengths.device).repeat_interleave(lengths)

    def _share_of_each(self, dtype: torch.dtype) -> Tensor:
        """What each token counts in its bag [T], before the bag is divided by its size."""
        weights = self.token_weights
        shares = torch.ones_like(self.tokens, dtype=dtype) if weights is None else weights.detach().to(dtype)
        return shares if self.padding < 0 else shares.masked_fill(self.tokens == self.padding, 0.0)


class MaximaBag(EmbeddingBag):
    """The same of maxima: a number of B_k belongs to one token, so g_k [U, D] is B_k put in its places."""

    kind = "embedding bag of maxima"

    def operations(self, num_tasks: int) -> float:
        numbers = num_tasks * min(len(self.tokens), len(self.leaves[0])) * self.leaves[0].shape[1]
        return SET_UP + numbers * (num_tasks + 1 + MOVED)

    def products(self, dtype: torch.dtype) -> Products:
        (places,), num_places = renumbered([self.maxima], len(self.leaves[0]))
        (outputs,) = self.at_outputs(dtype)
        rows = torch.stack([self._placed(b, places, num_places) for b in outputs]).flatten(1)  # [K, U D]
        return products_of_rows(rows)

    def _placed(self, outputs: Tensor, places: Tensor, num_places: int) -> Tensor:
        """Numbers [N, D] added up in rows of their own; those of a bag without a token belong nowhere."""
        outputs = outputs.masked_fill((self.sizes == 0)[:, None], 0.0)
        return outputs.new_zeros(num_places, outputs.shape[1]).scatter_add_(0, places, outputs)


def embedding_bag_of(table: Tensor, uses: Sequence[Use], bias: Tensor | None) -> EmbeddingBag | str:
    """The layer whose table has this use, or why it has no factors."""
    if len(uses) > 1:
        return "used in several embedding bags"
    (use,) = uses
    node = use.node
    if not table.numel():
        return "empty"
    if use.transposed or use.operand != 0:
        return "not the table of an embedding bag"
    if saved(node, "scale_grad_by_freq"):
        return "an embedding bag that divides by frequency"
    return (MaximaBag if saved(node, "mode") == _MAX else EmbeddingBag)(table, use)
