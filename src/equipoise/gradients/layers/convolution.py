"""A convolution as a product of unfolded patches with the kernel; pays where there are few positions."""

import math
from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.nn import functional

from equipoise.gradients.layers.layer import (
    MOVED,
    SET_UP,
    Layer,
    Products,
    Use,
    end_to_end,
    like,
    matrix_row_operations,
    product_operations,
    products_of,
    products_of_inputs,
    size,
)
from equipoise.gradients.products import Factors
from equipoise.torch_private.autograd import saved


class Convolution(Layer):
    """Kernels [C_out, C_in, h, w] of one group over N positions in all uses, perhaps with a bias."""

    kind = "convolution"

    def __init__(self, leaves: Sequence[Tensor], uses: Sequence[Use]) -> None:
        super().__init__(leaves, [GradientEdge(use.node, 0) for use in uses])
        self.inputs = [saved(use.node, "input").detach() for use in uses]
        self.steps = [  # stride, padding and dilation
            tuple(tuple(saved(use.node, name)) for name in ("stride", "padding", "dilation")) for use in uses
        ]
        shapes = [size(edge) for edge in self.edges]
        self.num_positions = sum(shape[0] * math.prod(shape[2:]) for shape in shapes)
        self.width_out, self.width_in = leaves[0].shape[0], leaves[0][0].numel()

    def operations(self, num_tasks: int) -> float:
        n, d_in, d_out = self.num_positions, self.width_in, self.width_out
        products = n * n * d_in + product_operations(n, d_out, num_tasks)
        return SET_UP + products + n * d_in * (d_out + MOVED) + num_tasks * n * d_out * MOVED

    def row_operations(self, num_tasks: int) -> float:
        return matrix_row_operations(self.num_positions, self.width_in, self.width_out, num_tasks)

    def gathered(self, num_tasks: int) -> int:
        return self.num_positions * (self.width_in + num_tasks * self.width_out)

    def products(self, dtype: torch.dtype) -> Products:
        # [K, batch, D_out, height, width] each
        outputs = [b.flatten(3).mT.flatten(1, 2) for b in self.at_outputs(dtype)]  # B [K, N, D_out]
        inputs = self._patches if dtype == self.dtype else self._unfolded(dtype)
        has_bias = len(self.leaves) == 2
        return products_of(products_of_inputs(inputs, has_bias), [end_to_end(outputs, dim=1)])

    def combine(self, weights: Factors) -> list[Tensor]:
        outputs = [b.flatten(2).mT.flatten(0, 1) for b in self.combined_at_outputs(weights)]  # [N, D_out]
        combined = end_to_end(outputs, dim=0)
        # few positions are where PyTorch's own gradient of a convolution is slowest
        kernels = combined.mT @ self._patches.to(combined.dtype)
        gradients = [kernels.view(self.leaves[0].shape), combined.sum(dim=0)]
        return [like(gradient, leaf) for gradient, leaf in zip(gradients, self.leaves, strict=False)]

    @cached_property
    def _patches(self) -> Tensor:
        """A [N, D_in], of all uses."""
        return self._unfolded(self.dtype)

    def _unfolded(self, dtype: torch.dtype) -> Tensor:
        patches = []
        for inputs, (stride, padding, dilation) in zip(self.inputs, self.steps, strict=True):
            unfolded = functional.unfold(inputs.to(dtype), self.leaves[0].shape[2:], dilation, padding, stride)
            patches.append(unfolded.mT.flatten(0, 1))
        return end_to_end(patches, dim=0)


def convolution_of(kernel: Tensor, uses: Sequence[Use], bias: Tensor | None) -> Convolution | str:
    """The layer whose kernels have these uses, or why it has no factors."""
    if kernel.dim() != 4 or any(use.operand != 1 or use.transposed for use in uses):
        return "not the kernels of a two-dimensional convolution"
    if any(saved(use.node, "transposed") or saved(use.node, "groups") != 1 for use in uses):
        return "in a convolution that is transposed or has groups"
    return Convolution([kernel] if bias is None else [kernel, bias], uses)
