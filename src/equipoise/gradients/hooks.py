"""Tensor hooks of parameters run once, on the combined gradient; autograd would run them in every task's pass too."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equipoise.plain import plain
from equipoise.torch_private import suppressed_hooks


def differentiate(
    outputs: Sequence[Any], points: Sequence[Any], seeds: Sequence[Tensor], keep: bool
) -> tuple[Tensor | None, ...]:
    """Gradients of a weighted sum of the outputs by the points, past the tensor hooks of leaves; ``None`` is a zero."""
    with suppressed_hooks(point for point in points if isinstance(point, Tensor) and point.is_leaf):
        gradients = torch.autograd.grad(outputs, points, seeds, retain_graph=keep, allow_unused=True)
        return tuple(None if gradient is None else plain(gradient) for gradient in gradients)
