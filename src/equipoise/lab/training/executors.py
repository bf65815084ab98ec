"""Runs and trials on executors that are not ours: whatever submits a function with its arguments, and Ray by its name.

The hosts of an executor see the driver's working folder and the folder of the study or search under the same paths.
"""

import json
import os
import socket
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from equipoise.lab.training.workers import ASK_AGAIN, Event, Execute, Item, Waiting, Work, attempt
from equipoise.own_file import error_line

RAY = "ray"
SECONDS_TO_ANSWER = 10.0  # of a cluster's address


class Future(Protocol):
    """What an executor of concurrent.futures, Dask, mpi4py or submitit returns."""

    def done(self) -> bool:
        """Whether it has ended, with a value or an error."""

    def result(self) -> Any:
        """The value; raises the exception that ended it."""

    def cancel(self) -> Any:
        """Stop it, if the executor can."""


Submit = Callable[..., Future]  # (function, *arguments), all of which can be pickled


class Executor(Protocol):
    """``concurrent.futures.Executor``, of Dask ``client.get_executor()``, or a ``RayCluster``."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future:
        """Begin a call, in a process of the executor."""


class RayCluster:
    """A Ray cluster as an executor: each call is a task on a CPU, and on a GPU of its own where the cluster has any.

    A task whose process or node dies is begun again by Ray, up to ``max_retries`` times.

    Args:
        address: ``HOST:PORT``, ``auto`` or ``ray://HOST:PORT`` as ``ray.init`` takes it; empty: that in
            ``RAY_ADDRESS``, else a cluster that runs on this machine, else one of this machine alone, for now.
        options: Of the tasks, as ``ray.remote`` takes them: ``num_gpus=0.5``, ``max_retries=1``, ``resources``.

    Raises:
        ValueError: Ray is missing, or there is no such cluster.
    """

    def __init__(self, address: str = "", **options: Any) -> None:
        try:
            import ray
        except ModuleNotFoundError:
            raise ValueError('ray is missing: pip install "equipoise[ray]"') from None
        self._ray, self._ours = ray, bool(address) or not ray.is_initialized()
        if self._ours:
            try:
                _require_answer(address)
                ray.init(address or None, log_to_driver=False, logging_level="warning")
            except (OSError, RuntimeError, ValueError) as error:
                raise ValueError(f"no Ray cluster at {address or 'this machine'}: {error_line(error)}") from error
        gpus = {"num_gpus": 1} if ray.cluster_resources().get("GPU") else {}
        self._task = ray.remote(**{"num_cpus": 1, "scheduling_strategy": "SPREAD", **gpus, **options})(_call)

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future:
        """Begin a task."""
        return _RayFuture(self._ray, self._task.remote(function, *arguments))

    def close(self) -> None:
        """Leave the cluster, and end one that was begun here."""
        if self._ours:
            self._ray.shutdown()


def _require_answer(address: str) -> None:
    """Raise an OSError if nobody answers at HOST:PORT: Ray itself asks again for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), SECONDS_TO_ANSWER).close()


def _call(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


@dataclass(frozen=True)
class _RayFuture:
    ray: Any
    reference: Any

    def done(self) -> bool:
        return bool(self.ray.wait([self.reference], timeout=0)[0])

    def result(self) -> Any:
        return self.ray.get(self.reference)

    def cancel(self) -> None:
        self.ray.cancel(self.reference, force=True)  # the process, too: a training does not look whether it may go on


@contextmanager
def executing(executor: "str | Executor | None", folder: Path) -> Iterator[Execute[Any] | None]:
    """Context with what does the runs of a study or the trials of a search in a folder; None: worker processes.

    Args:
        executor: ``ray``, ``ray=ADDRESS`` as ``RayCluster`` takes it, or an object with ``submit``.
        folder: Which all hosts see.

    Raises:
        ValueError: There is no such executor.
    """
    if executor is None:
        yield None
        return
    if isinstance(executor, str):
        name, _, address = executor.partition("=")
        if name != RAY:
            raise ValueError(
                f"no executor {executor!r}: {RAY}, {RAY}=ADDRESS, or in Python an object with submit as of "
                "concurrent.futures"
            )
        with closing(RayCluster(address)) as cluster:
            yield submitting(cluster.submit, folder)
        return
    if not callable(getattr(executor, "submit", None)):
        raise ValueError(f"executor must be {RAY!r} or have submit(function, *arguments), got {executor!r}")
    yield submitting(executor.submit, folder)


def submitting(submit: Submit, folder: Path | None = None) -> Execute[Any]:
    """``run_jobs`` on anything that can submit a function with its arguments.

    Args:
        submit: Of an executor.
        folder: One that the executor's hosts see, through which progress comes back; they work in the driver's working
            folder then. None: there is no progress within an item.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor() as pool:
    ...     events = list(submitting(pool.submit)(lambda item, report: item + 1, [1], jobs=1))
    >>> events
    [Event(kind='started', item=1, details=()), Event(kind='finished', item=1, details=(2,))]
    """

    def run(work: Work[Item], items: Iterable[Item | None], jobs: int) -> Generator[Event[Item], None, None]:
        waiting, number = Waiting(items), 0
        busy: list[tuple[Future, Item, _News | None]] = []
        with _reports_in(folder) as reports:
            try:
                while waiting.more or busy:
                    while len(busy) < jobs and (item := waiting.take()) is not None:
                        news = None if reports is None else _News(Path(reports) / f"{number}.jsonl")
                        number += 1
                        busy.append((submit(_work_there, work, item, news and news.reporter), item, news))
                        yield Event("started", item)
                    ended = [one for one in busy if one[0].done()]
                    for _, item, news in busy:
                        for details in news.read() if news else ():
                            yield Event("progress", item, details)
                    for one in ended:
                        busy.remove(one)
                        yield _end(*one[:2])
                    if not ended:
                        time.sleep(ASK_AGAIN / 10)
            finally:
                for future, *_ in busy:
                    future.cancel()

    return run


def _end(future: Future, item: Item) -> Event[Item]:
    try:
        kind, details = future.result()
    except Exception as error:  # of the executor's own kind: a lost process or host, or no way to load the work there
        line = error_line(error)
        return Event("failed", item, (line, line))
    return Event(kind, item, details)


def _reports_in(folder: Path | None) -> Any:
    """Context with a new folder for the progress of items, removed at its end."""
    if folder is None:
        return nullcontext()
    # a process that the executor does not stop may still write
    return TemporaryDirectory(prefix=".progress-", dir=folder.absolute(), ignore_cleanup_errors=True)


@dataclass(frozen=True)
class _Reporter:
    """Writes the progress of an item, a line a call; pickled."""

    place: Path
    working_folder: Path

    def enter(self) -> None:
        reports = self.place.parent  # new: one of another disk under the same path is not it
        for seen, folder in ((reports, reports.parent), (self.working_folder, self.working_folder)):
            if not seen.is_dir():
                raise FileNotFoundError(
                    f"{socket.gethostname()} does not see {folder}: an executor's hosts share the working folder and "
                    "the folder of the study or search with the command"
                )
        os.chdir(self.working_folder)  # paths of a case may be relative

    def __call__(self, *details: Any) -> None:
        with self.place.open("a", encoding="utf-8") as file:
            file.write(json.dumps(details) + "\n")


class _News:
    """Reads what a reporter writes, each line once."""

    def __init__(self, place: Path) -> None:
        self.reporter = _Reporter(place, Path.cwd())
        self._read = 0  # bytes

    def read(self) -> Iterator[tuple[Any, ...]]:
        place = self.reporter.place
        written = place.read_bytes() if place.is_file() else b""
        whole = written[self._read : written.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            yield tuple(json.loads(line))


def _work_there(work: Work[Any], item: Any, reporter: _Reporter | None) -> tuple[Any, tuple[Any, ...]]:
    """What is submitted; an error of the work comes back in words, as not every exception can be pickled."""
    if reporter is not None:
        reporter.enter()
    return attempt(work, item, reporter or _silent)


def _silent(*details: Any) -> None:
    """Drop progress."""
