"""Bytes that a call allocates at its peak."""

import os

os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # torch's profiler otherwise announces every start and stop

from collections.abc import Callable

import torch


def peak_of(run: Callable[[], None]) -> int:
    """Bytes allocated at the peak of a call, beyond what there was before it."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        run()
    changes = [event for event in profile.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = highest = 0
    for event in sorted(changes, key=lambda event: event.start_ns()):
        held += event.nbytes()
        highest = max(highest, held)
    return highest
