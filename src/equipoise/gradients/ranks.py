"""The processes that train one network together, each on its share of a batch; one process is a group of one."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from equipoise.torch_private.processes import ALL_GATHER, REDUCE_SCATTER, is_joining, load_without_groups

if dist.is_available():
    load_without_groups()

_PATIENCE = 3.0  # seconds in which others whose collective failed about when ours did say that they are there


@dataclass(frozen=True)
class Ranks:
    """A process group, or this process alone; and the number of the step, for messages."""

    group: Any = None
    size: int = 1
    step: int = field(default=0, compare=False)

    def __reduce__(self) -> tuple[type["Ranks"], tuple[()]]:
        return Ranks, ()  # a group is not copied: a copy of a balancer finds it anew

    def sum_(self, tensor: Tensor) -> Tensor:
        """The sum over ranks, the same bits everywhere, in the tensor's own place."""
        if self.size > 1:
            with self._together():
                dist.all_reduce(tensor, group=self.group)
        return tensor

    def most_(self, tensor: Tensor) -> Tensor:
        """The largest over ranks, number by number, in the tensor's own place."""
        with self._together():
            dist.all_reduce(tensor, dist.ReduceOp.MAX, group=self.group)
        return tensor

    def gathered_at(self, owner: int, tensor: Tensor, dim: int) -> Tensor | None:
        """The tensors of all ranks end to end, on the owner alone; they are of one shape."""
        own = tensor.movedim(dim, 0).contiguous()
        pieces = [torch.empty_like(own) for _ in range(self.size)] if dist.get_rank(self.group) == owner else None
        with self._together():
            dist.gather(own, pieces, group=self.group, group_dst=owner)
        return None if pieces is None else torch.cat(pieces).movedim(0, dim)

    def mean_slice(self, flat: Tensor) -> Tensor:
        """This rank's slice of the mean over ranks of vectors whose length the ranks divide; they are spent."""
        piece = flat.new_empty(len(flat) // self.size)
        with self._together():
            getattr(dist, REDUCE_SCATTER)(piece, flat.div_(self.size), group=self.group)  # so that no sum overflows
        return piece

    def joined(self, piece: Tensor) -> Tensor:
        """The slices of all ranks, one after another."""
        flat = piece.new_empty(len(piece) * self.size)
        with self._together():
            getattr(dist, ALL_GATHER)(flat, piece, group=self.group)
        return flat

    def gathered(self, thing: Any) -> Sequence[Any]:
        """What each rank has; for messages, not for every step."""
        things: list[Any] = [None] * self.size
        with self._together():
            dist.all_gather_object(things, thing, group=self.group)
        return things

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Say who is missing where a collective fails."""
        try:
            yield
        except RuntimeError as error:
            missing = _missing_ranks(self.group)
            if missing is None:  # the back end's watchdog speaks for itself
                raise
            who = f"rank {', '.join(map(str, missing))} is gone" if missing else "no rank is known to be gone"
            raise RuntimeError(
                f"the ranks could not exchange step {self.step}: {who}. See that rank's own error, and start all ranks "
                "again from the last checkpoint"
            ) from error


def ranks_of(choice: Any, source: Any, step: int) -> Ranks:
    """The ranks behind a balancer's argument ``ranks``, for the parameters that it was given and its next step.

    Raises:
        RuntimeError: Inside ``DistributedDataParallel.join()``, which knows of no collectives but its own.
    """
    if choice == "local" or not (dist.is_available() and dist.is_initialized()):
        return Ranks()
    if is_joining(source):
        raise RuntimeError(
            "inside join() ranks that have ended early answer DDP's collectives, not those of a balancer: leave join() "
            "out and give every rank equally many batches, as DistributedSampler does"
        )
    group = getattr(source, "process_group", dist.group.WORLD) if choice == "auto" else choice
    size = dist.get_world_size(group)
    return Ranks(group, size, step) if size > 1 else Ranks()


def _missing_ranks(group: Any) -> Sequence[int] | None:
    """The ranks that are gone when a collective of gloo has failed; ``None`` if the back end is not gloo.

    Its own error names none, its barrier the wrong one. Gone is who says nothing and whose connection is closed.

    A rank whose collective failed says in the group's store that it is there. One that says nothing and has its
    connection open may still wait in the collective, as those do that do not talk to the missing one. One that gives
    up waiting closes its connections, and then says that it is there: so silence counts before and after.
    """
    group = dist.group.WORLD if group is None else group
    if dist.get_backend(group) != "gloo":
        return None
    store, me = group.get_group_store(), dist.get_rank()
    others = [rank for rank in dist.get_process_group_ranks(group) if rank != me]
    try:
        store.set(_here(me), "")
    except RuntimeError:  # the store went with the rank that kept it
        return [rank for rank in others if not _is_connected(rank, group)]
    silent = [rank for rank in _silent(store, others) if not _is_connected(rank, group)]
    return _silent(store, silent)


def _here(rank: int) -> str:
    return f"equipoise/here/{rank}"


def _silent(store: Any, ranks: Sequence[int]) -> list[int]:
    """Those of some ranks that leave no word in time."""
    last, silent = time.monotonic() + _PATIENCE, []
    for rank in ranks:
        try:
            store.wait([_here(rank)], timedelta(seconds=max(last - time.monotonic(), 0.01)))
        except RuntimeError:
            silent.append(rank)
    return silent


def _is_connected(rank: int, group: Any) -> bool:
    try:
        dist.isend(torch.zeros(1), rank, group)
    except RuntimeError:
        return False
    return True
