"""Bytes that a call allocates at its peak."""

import os

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler otherwise announces every start and stop

import gc
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch


def peak_of(run: Callable[[], None]) -> int:
    """Bytes allocated at the peak of a call, beyond what there was before it.

    What an earlier call left and this one frees does not count, and what only the collector would free is held.
    """
    gc.collect()
    collects = gc.isenabled()
    gc.disable()
    try:
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            run()
    finally:
        if collects:
            gc.enable()
    held: dict[int, int] = {}  # address -> bytes, of blocks that the call itself allocated
    total = highest = 0
    events = _allocations(profile.profiler.kineto_results.experimental_event_tree())
    for _, address, size in sorted(events, key=lambda event: event[0]):
        if size > 0:
            held[address] = size
            total += size
        else:
            total -= held.pop(address, 0)
        highest = max(highest, total)
    return highest


def _allocations(events: Iterable[Any]) -> Iterator[tuple[int, int, int]]:
    """When, at which address and how many bytes, fewer than zero where they are freed."""
    to_visit = list(events)
    while to_visit:
        event = to_visit.pop()
        kind, fields = event.typed
        if kind.name == "Allocation":
            yield event.start_time_ns, fields.ptr, fields.alloc_size
        to_visit += event.children
