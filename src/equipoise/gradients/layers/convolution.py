"""A convolution as a product of unfolded patches with the kernel; pays where there are few positions."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.nn import functional

from equipoise.gradients.layers.layer import (
    MOVED,
    SET_UP,
    Layer,
    Products,
    like,
    matrix_row_operations,
    product_operations,
    products_of,
    products_of_inputs,
    size,
)
from equipoise.gradients.layers.uses import Use, saved


class Convolution(Layer):
    """Kernels [C_out, C_in, h, w] of one group over N positions in all, perhaps with a bias."""

    kind = "convolution"

    def __init__(self, leaves: Sequence[Tensor], use: Use, inputs: Tensor) -> None:
        super().__init__(leaves, [GradientEdge(use.node, 0)])
        self.inputs = inputs.detach()
        self.stride, self.padding, self.dilation = (
            tuple(getattr(use.node, f"_saved_{name}")) for name in ("stride", "padding", "dilation")
        )
        shape = size(self.edges[0])
        self.num_positions = shape[0] * math.prod(shape[2:])
        self.width_out, self.width_in = shape[1], leaves[0][0].numel()

    def operations(self, num_tasks: int) -> float:
        n, d_in, d_out = self.num_positions, self.width_in, self.width_out
        products = n * n * d_in + product_operations(n, d_out, num_tasks)
        return SET_UP + products + n * d_in * (d_out + MOVED) + num_tasks * n * d_out * MOVED

    def row_operations(self, num_tasks: int) -> float:
        return matrix_row_operations(self.num_positions, self.width_in, self.width_out, num_tasks)

    def products(self, dtype: torch.dtype) -> Products:
        patches = functional.unfold(
            self.inputs.to(dtype), self.leaves[0].shape[2:], self.dilation, self.padding, self.stride
        )
        patches = patches.mT.flatten(0, 1)  # A [N, D_in]
        (outputs,) = self.at_outputs(dtype)  # [K, batch, D_out, height, width]
        outputs = outputs.flatten(3).mT.flatten(1, 2)  # B [K, N, D_out]
        return products_of(products_of_inputs(patches, len(self.leaves) == 2), [outputs])

    def combine(self, weights: Tensor) -> list[Tensor]:
        (outputs,) = self.combined_at_outputs(weights)
        kernel = self.leaves[0]
        _, weight, bias = torch.ops.aten.convolution_backward(
            outputs,
            self.inputs.to(outputs.dtype),
            kernel.detach().to(outputs.dtype),
            [self.width_out],
            self.stride,
            self.padding,
            self.dilation,
            False,
            (0, 0),
            1,
            (False, True, len(self.leaves) == 2),
        )
        return [like(gradient, leaf) for gradient, leaf in zip((weight, bias), self.leaves, strict=False)]


def convolution_of(kernel: Tensor, uses: Sequence[Use], bias: Tensor | None) -> Convolution | str:
    """The layer whose kernels have this use, or why it has no factors."""
    if len(uses) > 1:
        return "used in several convolutions"
    (use,) = uses
    node = use.node
    if use.operand != 1 or use.transposed or kernel.dim() != 4:
        return "not the kernels of a two-dimensional convolution"
    if node._saved_transposed or node._saved_groups != 1:
        return "in a convolution that is transposed or has groups"
    return Convolution([kernel] if bias is None else [kernel, bias], use, saved(node, "input"))
