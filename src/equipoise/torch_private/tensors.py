"""Tensors: their versions, subclasses and transforms, and kernels that torch shows nowhere else."""

import math
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, cast

import torch
from torch import Tensor

_FEW = 2**16  # numbers up to which to put them end to end takes less time than an operation for each tensor


def version(tensor: Tensor) -> int:
    """How often it was written to."""
    return tensor._version


def are_inside_functorch(tensors: Iterable[Tensor]) -> list[bool]:
    """Whether a transform of ``torch.func`` made each of them."""
    return list(map(torch._C._functorch.is_functorch_wrapped_tensor, tensors))


def plain_tensors() -> AbstractContextManager[None]:
    """In its block tensors of subclasses are asked as plain ones are."""
    return torch._C.DisableTorchFunctionSubclass()


def without_subclass(tensor: Tensor) -> Tensor:
    """The same numbers in the same graph, as a plain tensor, past what the subclass makes of operations."""
    with plain_tensors():
        return tensor.as_subclass(Tensor)


def fill_zeros_(tensors: list[Tensor]) -> None:
    """Zero each of them."""
    torch._foreach_zero_(tensors)


def copy_each_(tensors: list[Tensor], others: list[Tensor]) -> None:
    """Overwrite each tensor with its other."""
    torch._foreach_copy_(tensors, others)


def shaped_like(flat: Tensor, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    """Pieces of a vector, of the shapes of these tensors, one after another."""
    return cast(Sequence[Tensor], cast(Any, torch._C)._nn.unflatten_dense_tensors(flat, tensors))


def add_each_(tensors: list[Tensor], others: list[Tensor], factor: float) -> None:
    """Add a multiple of each other to its tensor."""
    torch._foreach_add_(tensors, others, alpha=factor)


def largest_of(tensors: list[Tensor]) -> Tensor:
    """The largest size [] of their numbers, on the first one's device; NaN if one is."""
    if len({(tensor.dtype, tensor.device) for tensor in tensors}) == 1 and sum(map(Tensor.numel, tensors)) <= _FEW:
        flat = cast(Any, torch._C)._nn.flatten_dense_tensors(tensors)
        return cast(Tensor, torch.linalg.vector_norm(flat, math.inf))
    largest = torch._foreach_norm(tensors, math.inf)
    return torch.stack([one.to(largest[0].device) for one in largest]).amax()


def exact_norms(tensors: list[Tensor]) -> Tensor:
    """The norm of each tensor, in float64 throughout."""
    return torch.stack([*torch._foreach_norm(tensors, 2.0, torch.float64)])


def embedding_bag_backward(*arguments: Any) -> Tensor:
    """The gradient of an embedding bag by its table, from what the forward pass saved."""
    return cast(Tensor, torch.ops.aten._embedding_bag_backward(*arguments))
