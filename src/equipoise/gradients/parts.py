"""Tensors of which each rank holds a part (``DTensor``: FSDP2, tensor parallel); others are whole.

Nothing is imported for them: a tensor that has a mesh came with the code that made it.
"""

import math
from typing import Any

from torch import Tensor


def is_in_parts(tensor: Tensor | None) -> bool:
    """Whether ranks hold parts of this tensor."""
    return hasattr(tensor, "device_mesh")


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
