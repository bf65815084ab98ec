"""Which ranks are gone, when a collective of gloo has failed: its own error names none, its barrier the wrong one."""

import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

_PATIENCE = 3.0  # seconds in which others whose collective failed about when ours did say that they are there


def missing_ranks(group: Any) -> Sequence[int] | None:
    """The ranks that say nothing and whose connection is closed; ``None`` if the back end is not gloo.

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
        store.set(_word(me), "")
    except RuntimeError:  # the store went with the rank that kept it
        return [rank for rank in others if not _is_connected(rank, group)]
    silent = [rank for rank in _silent(store, others) if not _is_connected(rank, group)]
    return _silent(store, silent)


def _word(rank: int) -> str:
    return f"equipoise/here/{rank}"


def _silent(store: Any, ranks: Sequence[int]) -> list[int]:
    """Those of some ranks that leave no word in time."""
    last, silent = time.monotonic() + _PATIENCE, []
    for rank in ranks:
        try:
            store.wait([_word(rank)], timedelta(seconds=max(last - time.monotonic(), 0.01)))
        except RuntimeError:
            silent.append(rank)
    return silent


def _is_connected(rank: int, group: Any) -> bool:
    try:
        dist.isend(torch.zeros(1), rank, group)
    except RuntimeError:
        return False
    return True
