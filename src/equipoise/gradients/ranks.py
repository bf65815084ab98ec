"""The processes that train one network together, each on its share of a batch; one process is a group of one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """A process group, or this process alone."""

    group: Any = None
    size: int = 1

    def sum_(self, tensor: Tensor) -> Tensor:
        """The sum over ranks, the same bits everywhere, in the tensor's own place."""
        if self.size > 1:
            dist.all_reduce(tensor, group=self.group)
        return tensor

    def mean_slice(self, flat: Tensor) -> Tensor:
        """This rank's slice of the mean over ranks of vectors whose length the ranks divide; they are spent."""
        piece = flat.new_empty(len(flat) // self.size)
        dist.reduce_scatter_single(piece, flat.div_(self.size), group=self.group)  # so that no sum overflows
        return piece

    def joined(self, piece: Tensor) -> Tensor:
        """The slices of all ranks, one after another."""
        flat = piece.new_empty(len(piece) * self.size)
        dist.all_gather_single(flat, piece, group=self.group)
        return flat

    def gathered(self, thing: Any) -> Sequence[Any]:
        """What each rank has; for messages, not for every step."""
        things: list[Any] = [None] * self.size
        dist.all_gather_object(things, thing, group=self.group)
        return things


def ranks_of(choice: Any, source: Any) -> Ranks:
    """The ranks behind a balancer's argument ``ranks``, for the parameters that it was given."""
    if choice == "local" or not (dist.is_available() and dist.is_initialized()):
        return Ranks()
    group = getattr(source, "process_group", dist.group.WORLD) if choice == "auto" else choice
    size = dist.get_world_size(group)
    return Ranks(group, size) if size > 1 else Ranks()
