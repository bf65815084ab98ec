"""A matrix product of inputs A [N, D_in] with a weight: g_k = B_kᵀ A, so ⟨g_i, g_j⟩ = ⟨B_i, A Aᵀ B_j⟩.

The identity is that of ghost norms (Goodfellow 2015, arXiv 1510.01799; Li et al. 2022, arXiv 2110.05679), between
tasks rather than within a batch. N counts batch times positions, over all uses of the weight.
"""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge

from equipoise.gradients.layers.layer import (
    MOVED,
    SET_UP,
    Layer,
    Products,
    Use,
    end_to_end,
    like,
    matrix_row_operations,
    padded,
    product_operations,
    products_of,
    products_of_inputs,
)
from equipoise.gradients.products import Factors
from equipoise.gradients.ranks import Ranks
from equipoise.torch_private.autograd import saved

# the two factors of a product, and for each the name of the other
_OPERANDS = {"AddmmBackward0": {1: "mat2", 2: "mat1"}, "MmBackward0": {0: "mat2", 1: "self"}}


class Linear(Layer):
    """A weight, and the bias beside it if all its uses add that.

    Args:
        leaves: Weight, or weight and bias.
        uses: The products that the weight is an operand of.
        inputs: A [N, D_in] for each use.
        is_in_out: Whether the weight is [D_in, D_out] rather than [D_out, D_in].
    """

    kind = "linear"

    def __init__(self, leaves: Sequence[Tensor], uses: Sequence[Use], inputs: list[Tensor], is_in_out: bool) -> None:
        super().__init__(leaves, [GradientEdge(use.node, 0) for use in uses])
        self.inputs = inputs
        self.on_left = [_is_on_left(use) for use in uses]
        self.is_in_out = is_in_out
        self.num_inputs = sum(len(a) for a in inputs)
        self.width_in = inputs[0].shape[1]
        self.width_out = leaves[0].shape[1] if is_in_out else leaves[0].shape[0]

    def operations(self, num_tasks: int) -> float:
        n, d_in, d_out = self.num_inputs, self.width_in, self.width_out
        products = n * n * d_in + product_operations(n, d_out, num_tasks)
        return SET_UP + products + n * d_in * d_out + num_tasks * n * d_out * MOVED

    def row_operations(self, num_tasks: int) -> float:
        return matrix_row_operations(self.num_inputs, self.width_in, self.width_out, num_tasks)

    def products(self, dtype: torch.dtype) -> Products:
        inputs, outputs = self.operands(dtype)
        return products_of(products_of_inputs(inputs, len(self.leaves) == 2), outputs)

    def operands(self, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
        """A [N, D_in] and pieces [tasks, N, D_out] of B, over all uses."""
        inputs = end_to_end([a.to(dtype) for a in self.inputs], dim=0)
        return inputs, [self._upright(outputs) for outputs in self.in_pieces(dtype)]

    def rows(self, dtype: torch.dtype, places: Tensor) -> Tensor:
        """The tasks' gradients by some rows of the weight [K, U, columns]."""
        inputs, pieces = self.operands(dtype)
        if self.is_in_out:
            some = inputs[:, places].mT
            return end_to_end([some @ piece for piece in pieces], dim=0)
        return torch.stack([b[:, places].mT @ inputs for piece in pieces for b in piece])

    @property
    def length(self) -> int:
        return max(map(len, self.inputs))

    def gathered(self, num_tasks: int) -> int:
        return self.num_inputs * (self.width_in + num_tasks * self.width_out)

    def of_all_ranks(self, ranks: Ranks, owner: int, length: int) -> "Linear | None":
        outputs = [b.mT if left else b for b, left in zip(self.at_outputs(self.dtype), self.on_left, strict=True)]
        inputs = [ranks.gathered_at(owner, padded(a.to(self.dtype), length, dim=0), dim=0) for a in self.inputs]
        joint = [ranks.gathered_at(owner, padded(b, length, dim=1), dim=1) for b in outputs]
        if joint[0] is None:
            return None
        twin = self.with_gradients([b for b in joint if b is not None])
        twin.on_left = [False] * len(joint)
        twin.inputs = [a for a in inputs if a is not None]
        return twin

    def combine(self, weights: Factors) -> list[Tensor]:
        outputs = self._upright(self.combined_at_outputs(weights))
        inputs = end_to_end([a.to(outputs.dtype) for a in self.inputs], dim=0)
        weight = inputs.mT @ outputs if self.is_in_out else outputs.mT @ inputs
        gradients = [weight, outputs.sum(dim=0)] if len(self.leaves) == 2 else [weight]
        return [like(gradient, leaf) for gradient, leaf in zip(gradients, self.leaves, strict=True)]

    def _upright(self, outputs: list[Tensor]) -> Tensor:
        """Gradients [..., N, D_out] of all uses, whichever side the weight was on."""
        upright = [b.mT if on_left else b for b, on_left in zip(outputs, self.on_left, strict=True)]
        return end_to_end(upright, dim=-2)


def linear_of(weight: Tensor, uses: Sequence[Use], bias: Tensor | None) -> Linear | str:
    """The layer whose weight has these uses, all of one orientation, or why it has no factors."""
    inputs = []
    for use in uses:
        if use.operand not in _OPERANDS[use.name]:
            return "added to a product"
        if use.name == "AddmmBackward0" and saved(use.node, "alpha") != 1:
            return "in a product with an alpha other than 1"
        other = saved(use.node, _OPERANDS[use.name][use.operand])
        if type(other) not in (Tensor, torch.nn.Parameter) or other.layout != torch.strided or other.is_complex():
            return f"multiplied by a {type(other).__name__} of {other.dtype}, {other.layout}"
        inputs.append((other.mT if _is_on_left(use) else other).detach())
    is_in_out = has_rows_of_inputs(uses[0])
    num_outputs = weight.shape[1] if is_in_out else weight.shape[0]
    if bias is None or bias.numel() != num_outputs or any(_is_on_left(use) for use in uses):
        return Linear([weight], uses, inputs, is_in_out)  # a bias beside a weight on the left is one of its columns
    return Linear([weight, bias], uses, inputs, is_in_out)


def _is_on_left(use: Use) -> bool:
    """Whether it is weight · inputs, so that outputs are transposed."""
    return use.operand == min(_OPERANDS[use.name])


def has_rows_of_inputs(use: Use) -> bool:
    """Whether a weight so used is [D_in, D_out] rather than [D_out, D_in]."""
    return _is_on_left(use) == use.transposed


def adds_bias(use: Use) -> bool:
    """Whether this is a vector added to each row of a product."""
    return use.name == "AddmmBackward0" and use.operand == 0 and saved(use.node, "beta") == 1
