"""Tensors of which each rank holds a part (``DTensor``: FSDP2, tensor parallel); others are whole.

Nothing is imported for them: a tensor that has a mesh came with the code that made it.
"""

import math
from collections.abc import Collection
from typing import Any

from torch import Tensor

from equipoise.plain import PLAIN
from equipoise.torch_private import has_flat_of_fsdp


def is_in_parts(tensor: Tensor | None) -> bool:
    """Whether ranks hold parts of this tensor."""
    return hasattr(tensor, "device_mesh")


def are_in_parts(tensors: Collection[Tensor | None]) -> bool:
    """Whether ranks hold parts of one of these."""
    return not PLAIN.issuperset(map(type, tensors)) and any(map(is_in_parts, tensors))


def require_gradients_of_tasks(parameters: Collection[Tensor]) -> None:
    """Raise for parameters whose gradients of single tasks nobody can have."""
    kind = "FSDP1" if has_flat_of_fsdp(parameters) else ""
    for parameter in parameters:
        if hasattr(parameter, "ds_id"):
            kind = "DeepSpeed ZeRO"
    if kind:
        raise RuntimeError(
            f"{kind} makes no gradients of single tasks: shard with fully_shard (FSDP2), or balance by losses (Sum, "
            "Fixed, UW, DWA)"
        )


def part_of(tensor: Any, like: Any) -> Tensor:
    """What this rank holds of a tensor that shall lie over the ranks as ``like`` does."""
    if not is_in_parts(tensor):
        return tensor  # type: ignore[no-any-return]
    return tensor.redistribute(placements=like.placements).to_local()  # type: ignore[no-any-return]  # a gradient may be partial


def whole_of(part: Tensor, like: Any) -> Tensor:
    """The tensor of which this rank holds that part, as it does of ``like``."""
    if not is_in_parts(like):
        return part
    shape, stride = like.shape, like.stride()
    mesh, placements = like.device_mesh, like.placements
    return type(like).from_local(part, mesh, placements, run_check=False, shape=shape, stride=stride)  # type: ignore[no-any-return]


def copies_of(tensor: Any, num_ranks: int) -> int:
    """How many of the ranks hold each number of a tensor; one that is not listed is on all."""
    if not is_in_parts(tensor):
        return num_ranks
    mesh = tensor.device_mesh
    sizes = [mesh.size(dim) for dim, placed in enumerate(tensor.placements) if placed.is_replicate()]
    return int(math.prod(sizes) * num_ranks // mesh.size())
