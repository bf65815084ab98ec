"""Plain tensors for those of a subclass, whose own operations may ask for what a result of ours does not have."""

import torch
from torch import Tensor

from equipoise.torch_private.tensors import without_subclass

PLAIN = frozenset((Tensor, torch.nn.Parameter, type(None)))  # types of what is no more than a tensor, if that


def plain(tensor: Tensor) -> Tensor:
    """A tensor of a subclass that adds to its numbers (labels, units) as a plain one, in the same graph.

    What is no more than a tensor stays itself, and so does what holds other numbers than it seems to (``DTensor``,
    nested and masked tensors).
    """
    kind = type(tensor)
    if kind in PLAIN or kind.__torch_dispatch__ is not Tensor.__torch_dispatch__:
        return tensor
    return without_subclass(tensor)


def zeros_like(tensor: Tensor) -> Tensor:
    """Plain zeros for a gradient of the tensor."""
    return torch.zeros_like(plain(tensor).detach())
