"""The trials of a search in an Optuna storage: whoever claims one gets it alone, and none is forgotten.

Several workers, each a process or a host, may share a storage. A claim is one new row of Optuna's with the trial's
number, its point and the worker in it. Where two claim the same trial, the first row counts and the other is failed as
a duplicate; a row whose worker ended is failed as lost, and its trial is open again.

Ours, since trials are the same whatever the number of workers, and after a kill: Optuna's samplers draw in the order in
which trials begin and end, its heartbeat and retry need a database, and its pruners refuse several objectives.
"""

import json
import os
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState

from equipoise.lab.files import DamagedError, make_folder, open_lock_file, try_lock
from equipoise.lab.search.database import create_study
from equipoise.lab.search.space import distributions, quiet
from equipoise.lab.search.trial import Job, Objective, Strategy, Trial, mark

FOLDER = "drivers"  # the name that earlier versions gave it
MOST_LOSSES = 3  # of a trial to one worker; then it is the trial that kills its process
JOURNAL = "trials.journal"
NUMBER, WORKER = "slot", "driver"  # attributes of a row, by the names that earlier versions gave them
_AT_WORK = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)


@contextmanager
def alive(folder: Path) -> Iterator[str]:
    """Context with the name of a new worker, which counts as alive until the context or the process ends.

    It holds a lock on a file of its own, which the system releases at the end of the process; the file stays.

    Raises:
        ValueError: If the folder cannot be written.
    """
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    make_folder(folder / FOLDER)
    with open_lock_file(folder / FOLDER / name) as file:
        try_lock(file)
        yield name


def has_ended(folder: Path, name: str) -> bool | None:
    """Whether a worker has ended; None where its file is not in this folder, so that it cannot be told."""
    try:
        with (folder / FOLDER / name).open("rb+") as file:
            return try_lock(file)
    except FileNotFoundError:
        return None


class TrialStore:
    """A strategy's trials in a storage.

    Args:
        storage: A URL as Optuna reads it, a storage of Optuna, or None for a journal in the folder.
        name: Of the study in the storage.
        strategy: What is searched, and how.
        objectives: What is measured of each trial.
        folder: Where workers' locked files are.
        stale_after: Minutes after which a running trial of a worker that this folder does not know counts as lost;
            None: never.
        identity: What must agree beside the strategy for trials to stand in one list.

    Raises:
        ValueError: If the study was made by another strategy or with another identity, or is damaged.
    """

    def __init__(
        self,
        storage: str | BaseStorage | None,
        name: str,
        strategy: Strategy,
        objectives: Sequence[Objective],
        folder: Path,
        stale_after: float | None = None,
        identity: str = "",
    ) -> None:
        self.strategy = strategy
        self.folder = folder
        self.stale_after = stale_after
        journal = folder / JOURNAL
        self._journal = journal if storage is None else None
        if storage is None:
            _require_whole(journal)
        with quiet(), self._own_journal():
            if storage is None:
                storage = JournalStorage(JournalFileBackend(str(journal), _journal_lock(journal)))
            create: Callable[..., optuna.Study] = create_study if isinstance(storage, str) else optuna.create_study
            self._study = create(
                storage=storage,
                study_name=name,
                sampler=optuna.samplers.RandomSampler(),  # never asked: the strategy says what to try
                directions=["maximize" if objective.higher_is_better else "minimize" for objective in objectives],
                load_if_exists=True,
            )
            found = self._study.user_attrs
            for what, now in (("strategy", repr(strategy)), ("identity", identity)):
                if (then := found.get(what)) is None:
                    self._study.set_user_attr(what, now)
                elif then != now:
                    raise ValueError(
                        f"study {name!r} is another search: choose another folder or name, or ask for the same.\n"
                        f"  there: {then}\n  now:   {now}"
                    )
            self.trials()  # whole, or refused

    def trials(self) -> dict[int, Trial]:
        """The finished trials, by number."""
        return self._finished(self._rows())

    def unfinished(self) -> dict[int, str]:
        """By number, why the last attempt failed of each trial that is to be tried again."""
        rows = self._rows()
        done = self._finished(rows)
        lost = {row.user_attrs[NUMBER]: row.user_attrs["reason"] for row in rows if _is_lost(row)}
        return {number: lost[number] for number in sorted(lost) if number not in done}

    def has_running(self) -> bool:
        """Whether any trial is running."""
        return any(row.state == TrialState.RUNNING for row in self._rows())

    def claim(self, worker: str) -> Job | None:
        """A job that is now this worker's alone; None if nothing can begin now.

        A trial that failed this worker without fault of its own is left to another: at once if it wanted disk,
        memory or a file, and after ``MOST_LOSSES`` deaths of its process.
        """
        while True:
            rows = self._rows()
            if self._release(rows):
                continue
            if (job := self._next(rows, worker)) is None:
                return None
            about = {  # the point is the row's own
                **{NUMBER: job.number, "share": job.share, "parent": job.parent, "baseline": job.baseline},
                **{WORKER: worker, "claim": uuid.uuid4().hex},
            }
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params=dict(job.point),
                    distributions=distributions(self.strategy.space),
                    user_attrs=about,
                )
            )
            same = [row for row in self._rows() if row.user_attrs.get(NUMBER) == job.number]
            first = next(row for row in same if row.state in _AT_WORK)
            if first.user_attrs["claim"] == about["claim"]:
                return job
            mine = next(row for row in same if row.user_attrs["claim"] == about["claim"])
            self._fail(mine, "duplicate: another worker was first", final=None)

    def finish(self, job: Job, worker: str, values: Sequence[float] | None, reason: str = "") -> bool:
        """Write down how a claimed job ended; False where it was given to another worker meanwhile."""
        return self._close(job, worker, values, reason, final=True)

    def lose(self, job: Job, worker: str, reason: str, *, most: int = MOST_LOSSES) -> bool:
        """Give a claimed job back, since it failed without fault of its own; after ``most`` times, to other workers."""
        return self._close(job, worker, None, reason, final=False, most=most)

    def _close(
        self, job: Job, worker: str, values: Sequence[float] | None, reason: str, *, final: bool, most: int = 0
    ) -> bool:
        for row in self._rows():
            about = row.user_attrs
            if row.state == TrialState.RUNNING and (about.get(NUMBER), about.get(WORKER)) == (job.number, worker):
                if values is not None:
                    return self._complete(row, values)
                return self._fail(row, reason, final=final, most=most)
        return False

    def _complete(self, row: FrozenTrial, values: Sequence[float]) -> bool:
        trial = optuna.Trial(self._study, row._trial_id)
        trial.set_user_attr("mark", mark(_job(row), values))
        trial.set_user_attr("values", [float(value) for value in values])
        if row.user_attrs["share"] == 1.0:
            return self._tell(row, TrialState.COMPLETE, values)
        return self._tell(row, TrialState.PRUNED)

    def _fail(self, row: FrozenTrial, reason: str, *, final: bool | None, most: int = 0) -> bool:
        trial = optuna.Trial(self._study, row._trial_id)
        with suppress(UpdateFinishedTrialError):  # another worker told it in between
            trial.set_user_attr("reason", reason)
            trial.set_user_attr("most", most)
            trial.set_user_attr("final", final)
            return self._tell(row, TrialState.FAIL)
        return False

    def _tell(self, row: FrozenTrial, state: TrialState, values: Sequence[float] | None = None) -> bool:
        with quiet(), suppress(ValueError, UpdateFinishedTrialError):  # another worker told it in between
            self._study.tell(row.number, values, state)
            return True
        return False

    def _rows(self) -> list[FrozenTrial]:
        with self._own_journal():
            return self._study.get_trials(deepcopy=False)

    @contextmanager
    def _own_journal(self) -> Iterator[None]:
        """What Optuna makes of a damaged journal, in a line."""
        try:
            yield
        except (AssertionError, AttributeError, IndexError, KeyError, TypeError, json.JSONDecodeError) as error:
            if self._journal is None:
                raise
            raise DamagedError(self._journal, f"is damaged ({type(error).__name__})") from error

    def _finished(self, rows: Sequence[FrozenTrial]) -> dict[int, Trial]:
        found: dict[int, Trial] = {}
        for row in rows:
            number = row.user_attrs.get(NUMBER)
            if number is None or number in found:
                continue
            if row.state in (TrialState.COMPLETE, TrialState.PRUNED):
                job, values = _job(row), tuple(row.user_attrs["values"])
                if self._journal is not None and row.user_attrs.get("mark") != mark(job, values):
                    raise DamagedError(self._journal, f"is damaged (the checksum of trial {number} does not fit)")
                found[number] = Trial(job, values)
            elif row.user_attrs.get("final"):
                found[number] = Trial(_job(row), None, row.user_attrs["reason"])
        return found

    def _next(self, rows: Sequence[FrozenTrial], worker: str) -> Job | None:
        finished = self._finished(rows)
        taken = {row.user_attrs.get(NUMBER) for row in rows if row.state == TrialState.RUNNING}
        lost = [row.user_attrs for row in rows if _is_lost(row) and row.user_attrs[WORKER] == worker]
        count = Counter(about[NUMBER] for about in lost)
        taken |= {about[NUMBER] for about in lost if count[about[NUMBER]] >= about["most"]}
        for number in range(self.strategy.num_trials):
            if number not in finished and number not in taken:
                return self.strategy.job(number, finished)
        return None

    def _release(self, rows: Sequence[FrozenTrial]) -> bool:
        """Fail running trials whose worker ended; whether there was one."""
        released = False
        for row in rows:
            if row.state != TrialState.RUNNING:
                continue
            gone = has_ended(self.folder, row.user_attrs[WORKER])
            if gone is None and self.stale_after is not None and row.datetime_start is not None:
                gone = datetime.now() - row.datetime_start > timedelta(minutes=self.stale_after)
            if gone:
                released |= self._fail(row, "its worker ended", final=None)
        return released


def _is_lost(row: FrozenTrial) -> bool:
    """Whether a row failed without fault of its trial."""
    return row.state == TrialState.FAIL and row.user_attrs.get("final") is False


def _journal_lock(journal: Path) -> JournalFileOpenLock:
    """Optuna's own by default makes a symbolic link, which Windows allows to few."""
    return JournalFileOpenLock(str(journal))


def _require_whole(journal: Path) -> None:
    """Raise if a line is no JSON object; half a last one, as a full disk or a kill leaves it, is cut off."""
    if not journal.is_file():
        return
    if not journal.read_bytes().endswith(b"\n"):
        lock = _journal_lock(journal)
        lock.acquire()  # another worker may be writing it just now
        try:
            os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)
        finally:
            lock.release()
    for number, line in enumerate(journal.read_bytes().splitlines(), start=1):
        try:
            whole = isinstance(json.loads(line), dict)
        except (ValueError, RecursionError):
            whole = False
        if not whole:
            raise DamagedError(journal, f"is damaged (line {number})")


def _job(row: FrozenTrial) -> Job:
    """What a row says is to be done."""
    about = row.user_attrs
    return Job(about[NUMBER], row.params, about["share"], about["parent"], about["baseline"])
