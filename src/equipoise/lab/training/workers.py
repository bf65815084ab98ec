"""A pool of worker processes that take one job after another, and end with their parent.

An error in a job, or the death of its process, fails that job only. ``executors.py`` makes the same of any executor.
"""

import itertools
import multiprocessing
import os
import signal
import threading
import traceback
from collections.abc import Callable, Generator, Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, Generic, Literal, TypeVar

import torch

from equipoise.own_file import error_line

ASK_AGAIN = 0.5  # seconds until an item is asked for again
# Of OpenMP: a thread that waits by spinning keeps the core from the one it waits for, where other programs run too
_WAIT_POLICY = "OMP_WAIT_POLICY"
_GPUS = "CUDA_VISIBLE_DEVICES"

Item = TypeVar("Item")
Work = Callable[[Item, Callable[..., None]], Any]


@dataclass(frozen=True)
class Event(Generic[Item]):
    """What happened to an item.

    ``details``: for ``progress`` what the work reported, for ``finished`` what it returned, for
    ``failed`` the error in one line and in full.
    """

    kind: Literal["started", "progress", "finished", "failed"]
    item: Item
    details: tuple[Any, ...] = ()


# What ``run_jobs`` is: (work, items, jobs) -> events.
Execute = Callable[[Work[Item], Iterable[Item | None], int], Generator[Event[Item], None, None]]


class Waiting(Generic[Item]):
    """Items that are not started; ``more`` is True until the iterator has ended.

    >>> waiting = Waiting(iter(["a", None, "b"]))
    >>> [waiting.take(), waiting.take(), waiting.take(), waiting.more, waiting.take(), waiting.more]
    ['a', None, 'b', True, None, False]
    """

    def __init__(self, items: Iterable[Item | None]) -> None:
        self._items = iter(items)
        self.more = True

    def take(self) -> Item | None:
        """The next item; None where none can start now, or none is left."""
        try:
            return next(self._items)
        except StopIteration:
            self.more = False
            return None


class Workers:
    """Worker processes, each a fresh interpreter; started when there is an item for one, and kept for later calls."""

    def __init__(self) -> None:
        self._idle: list[tuple[SpawnProcess, Connection]] = []

    def run(self, work: Work[Item], items: Iterable[Item | None], jobs: int) -> Generator[Event[Item], None, None]:
        """Do ``work(item, report)`` for each item in ``jobs`` processes and yield what happens.

        An item is taken when a process is free for it, so that what to do next may depend on what is finished; an item
        ``None`` means that nothing can start now, and to ask again later. Work and items are pickled. An exception in
        work, or the death of its process, fails the item. Closing the iterator kills the busy workers. Call it from
        the main thread.
        """
        waiting = Waiting(items)
        busy: dict[Connection, tuple[SpawnProcess, Item]] = {}
        try:
            while waiting.more or busy:
                while len(busy) < jobs and (item := waiting.take()) is not None:
                    process, connection = self._idle.pop() if self._idle else _start(_free_place(busy.values()))
                    with suppress(BrokenPipeError):  # a worker that died idle: recv will say so
                        connection.send((work, item))
                    busy[connection] = (process, item)
                    yield Event("started", item)
                if waiting.more and len(busy) < jobs:
                    ready = wait(list(busy), timeout=ASK_AGAIN)
                elif busy:
                    ready = wait(list(busy))
                else:
                    break
                for connection in [connection for connection in busy if connection in ready]:
                    process, item = busy[connection]
                    try:
                        kind, details = connection.recv()
                    except (EOFError, ConnectionResetError):
                        del busy[connection]
                        process.join()
                        death = f"its process ended with {_exit_words(process.exitcode)}"
                        yield Event("failed", item, (death, death))
                        continue
                    if kind != "progress":
                        del busy[connection]
                        self._idle.append((process, connection))
                    yield Event(kind, item, details)
        finally:
            _kill([process for process, _ in busy.values()])

    def close(self) -> None:
        """Kill the workers, of which none is busy once ``run`` has ended."""
        _kill([process for process, _ in self._idle])
        self._idle = []


def run_jobs(work: Work[Item], items: Iterable[Item | None], jobs: int) -> Generator[Event[Item], None, None]:
    """``Workers.run`` in workers that are killed after these items."""
    with closing(Workers()) as workers, closing(workers.run(work, items, jobs)) as events:
        yield from events


def _kill(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.join()


def _exit_words(code: int | None) -> str:
    if code == -9:  # SIGKILL, which Windows does not have
        return "signal 9, perhaps for lack of memory"
    return f"signal {-code}" if code is not None and code < 0 else f"status {code}"


def _free_place(busy: Iterable[tuple[SpawnProcess, Any]]) -> int:
    """The lowest number that no worker at work has."""
    taken = {process.name for process, _ in busy}
    return next(place for place in itertools.count() if _name(place) not in taken)


def _name(place: int) -> str:
    return f"equipoise-worker-{place}"


def _start(place: int) -> tuple[SpawnProcess, Connection]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), name=_name(place))
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN)  # inherited: Ctrl-C is for the parent alone
    inherited = {_WAIT_POLICY: os.environ.get(_WAIT_POLICY, "passive"), **_one_gpu(place)}  # read when torch is loaded
    before = {name: os.environ.get(name) for name in inherited}
    os.environ.update(inherited)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, handler)
        for name, value in before.items():
            os.environ.pop(name)
            if value is not None:
                os.environ[name] = value
    theirs.close()  # so that the worker's end closes when the worker dies
    return process, ours


def _one_gpu(place: int) -> dict[str, str]:
    """Where there are several, the workers take one each, in turn."""
    count = torch.cuda.device_count()
    seen = os.environ.get(_GPUS, ",".join(map(str, range(count)))).split(",")
    return {_GPUS: seen[place % count]} if count > 1 else {}


def _serve(connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # on Windows not inherited
    threading.Thread(target=_die_with_parent, daemon=True).start()
    while True:
        try:
            work, item = connection.recv()
        except Exception as error:  # of any kind: what cannot be unpickled here fails this item only
            connection.send(_failed(error))
        else:
            connection.send(attempt(work, item, lambda *details: connection.send(("progress", details))))


def attempt(
    work: Work[Item], item: Item, report: Callable[..., None]
) -> tuple[Literal["finished", "failed"], tuple[Any, ...]]:
    """Do the work; how it ended, and the details of that event."""
    try:
        return "finished", (work(item, report),)
    except Exception as error:  # of any kind: it fails this item only
        return _failed(error)


def _failed(error: Exception) -> tuple[Literal["failed"], tuple[str, str]]:
    return "failed", (error_line(error), traceback.format_exc())


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
