"""Any executor in the place of local processes: Ray, Dask, SLURM job arrays, threads."""

import time
from collections.abc import Callable, Generator, Iterable
from typing import Any, Protocol

from equipoise.lab.studies.pool import ASK_AGAIN, Event, Execute, Waiting, Work


class Future(Protocol):
    """What concurrent.futures, Dask and submitit hand back, and ``ref.future()`` of Ray."""

    def done(self) -> bool:
        """Whether it ended, well or not."""

    def result(self) -> Any:
        """The value, or the exception that ended it."""


Submit = Callable[..., Future]  # (function, *arguments), both of which can be pickled


def submitting(submit: Submit) -> Execute[Any]:
    """``run_jobs`` on anything that can submit a function with its arguments; there is no progress within an item.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor() as pool:
    ...     events = list(submitting(pool.submit)(lambda item, report: item + 1, [1], jobs=1))
    >>> events
    [Event(kind='started', item=1, details=()), Event(kind='finished', item=1, details=(2,))]
    """

    def run(work: Work[Any], items: Iterable[Any], jobs: int) -> Generator[Event[Any], None, None]:
        waiting = Waiting(items)
        busy: list[tuple[Future, Any]] = []
        while waiting.more or busy:
            while len(busy) < jobs and (item := waiting.take()) is not None:
                busy.append((submit(work, item, _silent), item))
                yield Event("started", item)
            ended = [pair for pair in busy if pair[0].done()]
            busy = [pair for pair in busy if pair not in ended]
            for future, item in ended:
                try:
                    value = future.result()
                except Exception as error:  # whatever it is, it costs this item only
                    line = " ".join(f"{type(error).__name__}: {error}".split())
                    yield Event("failed", item, (line, line))
                else:
                    yield Event("finished", item, (value,))
            if not ended:
                time.sleep(ASK_AGAIN / 10)

    return run


def _silent(*details: Any) -> None:
    """Progress has no way back."""
