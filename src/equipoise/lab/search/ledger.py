"""The list of trials in an Optuna storage: whoever claims a slot gets it alone, and none is forgotten.

Several drivers may work on one list. A claim is one new row with slot, point and driver in it. Where two claim the same
slot, the first row counts and the other is failed as a duplicate; a row whose driver ended is failed as lost, and its
slot is open again.
"""

import json
import os
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.trial import FrozenTrial, TrialState

from equipoise.lab.files import DamagedError
from equipoise.lab.search.drivers import ended
from equipoise.lab.search.optuna_parts import distributions, quiet
from equipoise.lab.search.strategies import Strategy
from equipoise.lab.search.trial import Job, Objective, Trial, mark

MOST_LOSSES = 3  # of one slot to one driver; then it is the trial that kills its process
JOURNAL = "trials.journal"
_AT_WORK = (TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED)


class Ledger:
    """A strategy's trials in a storage.

    Args:
        storage: A URL as Optuna reads it, a storage of Optuna, or None for a journal in the folder.
        name: Of the study in the storage.
        strategy: What is searched, and how.
        objectives: What is measured of each trial.
        folder: Where drivers are marked.
        stale_after: Minutes after which a running trial of a driver that this folder does not know counts as lost;
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
        self._journal = folder / JOURNAL if storage is None else None
        if self._journal is not None:
            _require_whole(self._journal)
        with quiet(), self._own_journal():
            if storage is None:
                storage = JournalStorage(JournalFileBackend(str(self._journal)))
            self._study = optuna.create_study(
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
        """The finished trials, by slot."""
        return self._finished(self._rows())

    def unfinished(self) -> dict[int, str]:
        """Why the last attempt at a slot failed that is to be tried again."""
        rows = self._rows()
        done = self._finished(rows)
        lost = {row.user_attrs["slot"]: row.user_attrs["reason"] for row in rows if _is_lost(row)}
        return {slot: lost[slot] for slot in sorted(lost) if slot not in done}

    def at_work(self) -> bool:
        """Whether any trial is running."""
        return any(row.state == TrialState.RUNNING for row in self._rows())

    def claim(self, driver: str) -> Job | None:
        """A job that is now this driver's alone; None if nothing can begin now.

        A slot that failed this driver without fault of its own is left to the next one: at once if it wanted disk,
        memory or a file, and after ``MOST_LOSSES`` deaths of its process.
        """
        while True:
            rows = self._rows()
            if self._release(rows):
                continue
            if (job := self._next(rows, driver)) is None:
                return None
            about = {**asdict(job), "driver": driver, "claim": uuid.uuid4().hex}
            del about["point"]  # that is the row's own
            self._study.add_trial(
                optuna.trial.create_trial(
                    state=TrialState.RUNNING,
                    params=dict(job.point),
                    distributions=distributions(self.strategy.space),
                    user_attrs=about,
                )
            )
            same = [row for row in self._rows() if row.user_attrs.get("slot") == job.slot]
            first = next(row for row in same if row.state in _AT_WORK)
            if first.user_attrs["claim"] == about["claim"]:
                return job
            mine = next(row for row in same if row.user_attrs["claim"] == about["claim"])
            self._fail(mine, "duplicate: another driver was first", final=None)

    def finish(self, job: Job, driver: str, values: Sequence[float] | None, reason: str = "") -> bool:
        """Write down how a claimed job ended; False where it was given to another driver meanwhile."""
        return self._close(job, driver, values, reason, final=True)

    def lose(self, job: Job, driver: str, reason: str, *, most: int = MOST_LOSSES) -> bool:
        """Give a claimed job back, since it failed without fault of its own; after ``most`` times, to other drivers."""
        return self._close(job, driver, None, reason, final=False, most=most)

    def _close(
        self, job: Job, driver: str, values: Sequence[float] | None, reason: str, *, final: bool, most: int = 0
    ) -> bool:
        for row in self._rows():
            about = row.user_attrs
            if row.state == TrialState.RUNNING and (about.get("slot"), about.get("driver")) == (job.slot, driver):
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
        with suppress(UpdateFinishedTrialError):  # another driver told it in between
            trial.set_user_attr("reason", reason)
            trial.set_user_attr("most", most)
            trial.set_user_attr("final", final)
            return self._tell(row, TrialState.FAIL)
        return False

    def _tell(self, row: FrozenTrial, state: TrialState, values: Sequence[float] | None = None) -> bool:
        with quiet(), suppress(ValueError, UpdateFinishedTrialError):  # another driver told it in between
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
            slot = row.user_attrs.get("slot")
            if slot is None or slot in found:
                continue
            if row.state in (TrialState.COMPLETE, TrialState.PRUNED):
                job, values = _job(row), tuple(row.user_attrs["values"])
                if self._journal is not None and row.user_attrs.get("mark") != mark(job, values):
                    raise DamagedError(self._journal, f"is damaged (the checksum of trial {slot} does not fit)")
                found[slot] = Trial(job, values)
            elif row.user_attrs.get("final"):
                found[slot] = Trial(_job(row), None, row.user_attrs["reason"])
        return found

    def _next(self, rows: Sequence[FrozenTrial], driver: str) -> Job | None:
        finished = self._finished(rows)
        taken = {row.user_attrs.get("slot") for row in rows if row.state == TrialState.RUNNING}
        lost = [row.user_attrs for row in rows if _is_lost(row) and row.user_attrs["driver"] == driver]
        count = Counter(about["slot"] for about in lost)
        taken |= {about["slot"] for about in lost if count[about["slot"]] >= about["most"]}
        for slot in range(self.strategy.slots):
            if slot not in finished and slot not in taken:
                return self.strategy.job(slot, finished)
        return None

    def _release(self, rows: Sequence[FrozenTrial]) -> bool:
        """Fail running trials whose driver ended; whether there was one."""
        released = False
        for row in rows:
            if row.state != TrialState.RUNNING:
                continue
            gone = ended(self.folder, row.user_attrs["driver"])
            if gone is None and self.stale_after is not None and row.datetime_start is not None:
                gone = datetime.now() - row.datetime_start > timedelta(minutes=self.stale_after)
            if gone:
                released |= self._fail(row, "its driver ended", final=None)
        return released


def _is_lost(row: FrozenTrial) -> bool:
    """Whether a row failed without fault of its trial."""
    return row.state == TrialState.FAIL and row.user_attrs.get("final") is False


def _require_whole(journal: Path) -> None:
    """Raise if a line is no JSON object; half a last one, as a full disk or a kill leaves it, is cut off."""
    if not journal.is_file():
        return
    if not journal.read_bytes().endswith(b"\n"):
        lock = JournalFileSymlinkLock(str(journal))
        lock.acquire()  # another driver may be writing it just now
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
    return Job(about["slot"], row.params, about["share"], about["parent"], about["baseline"])
