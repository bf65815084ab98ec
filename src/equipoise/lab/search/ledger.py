"""The list of trials in an Optuna storage: whoever claims a slot gets it alone, and none is forgotten.

Several drivers may work on one list. A claim is one new row with slot, point and driver in it. Where two claim the same
slot, the first row counts and the other is failed as a duplicate; a row whose driver ended is failed as lost, and its
slot is open again.
"""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from equipoise.lab.search.drivers import ended
from equipoise.lab.search.optuna_parts import distributions, quiet
from equipoise.lab.search.strategies import Strategy
from equipoise.lab.search.trial import Job, Objective, Trial

MOST_LOSSES = 3  # of one slot; then it is the trial that kills its process
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

    Raises:
        ValueError: If the study was made by another strategy or for other objectives.
    """

    def __init__(
        self,
        storage: str | BaseStorage | None,
        name: str,
        strategy: Strategy,
        objectives: Sequence[Objective],
        folder: Path,
        stale_after: float | None = None,
    ) -> None:
        self.strategy = strategy
        self.folder = folder
        self.stale_after = stale_after
        if storage is None:
            storage = JournalStorage(JournalFileBackend(str(folder / "trials.journal")))
        with quiet():
            self._study = optuna.create_study(
                storage=storage,
                study_name=name,
                sampler=optuna.samplers.RandomSampler(),  # never asked: the strategy says what to try
                directions=["maximize" if objective.higher_is_better else "minimize" for objective in objectives],
                load_if_exists=True,
            )
        now, then = repr(strategy), self._study.user_attrs.get("strategy")
        if then is None:
            self._study.set_user_attr("strategy", now)
        elif then != now:
            raise ValueError(
                f"study {name!r} is another search: choose another folder or name, or ask for the same.\n"
                f"  there: {then}\n  now:   {now}"
            )

    def trials(self) -> dict[int, Trial]:
        """The finished trials, by slot."""
        return self._finished(self._rows())

    def claim(self, driver: str) -> Job | None:
        """A job that is now this driver's alone; None if nothing can begin now."""
        while True:
            rows = self._rows()
            if self._release(rows):
                continue
            if (job := self._next(rows)) is None:
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

    def lose(self, job: Job, driver: str, reason: str) -> bool:
        """Give a claimed job back, since its process died."""
        return self._close(job, driver, None, reason, final=False)

    def _close(self, job: Job, driver: str, values: Sequence[float] | None, reason: str, *, final: bool) -> bool:
        for row in self._rows():
            about = row.user_attrs
            if row.state == TrialState.RUNNING and (about.get("slot"), about.get("driver")) == (job.slot, driver):
                return self._fail(row, reason, final=final) if values is None else self._complete(row, values)
        return False

    def _complete(self, row: FrozenTrial, values: Sequence[float]) -> bool:
        optuna.Trial(self._study, row._trial_id).set_user_attr("values", [float(value) for value in values])
        if row.user_attrs["share"] == 1.0:
            return self._tell(row, TrialState.COMPLETE, values)
        return self._tell(row, TrialState.PRUNED)

    def _fail(self, row: FrozenTrial, reason: str, *, final: bool | None) -> bool:
        trial = optuna.Trial(self._study, row._trial_id)
        with suppress(UpdateFinishedTrialError):  # another driver told it in between
            trial.set_user_attr("reason", reason)
            trial.set_user_attr("final", final)
            return self._tell(row, TrialState.FAIL)
        return False

    def _tell(self, row: FrozenTrial, state: TrialState, values: Sequence[float] | None = None) -> bool:
        with quiet(), suppress(ValueError, UpdateFinishedTrialError):  # another driver told it in between
            self._study.tell(row.number, values, state)
            return True
        return False

    def _rows(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)

    def _finished(self, rows: Sequence[FrozenTrial]) -> dict[int, Trial]:
        found: dict[int, Trial] = {}
        losses: dict[int, int] = {}
        for row in rows:
            slot = row.user_attrs.get("slot")
            if slot is None or slot in found:
                continue
            if row.state in (TrialState.COMPLETE, TrialState.PRUNED):
                found[slot] = Trial(_job(row), tuple(row.user_attrs["values"]))
            elif row.user_attrs.get("final"):
                found[slot] = Trial(_job(row), None, row.user_attrs["reason"])
            elif row.user_attrs.get("final") is False:
                losses[slot] = losses.get(slot, 0) + 1
                if losses[slot] == MOST_LOSSES:
                    found[slot] = Trial(_job(row), None, f"lost {MOST_LOSSES} times: {row.user_attrs['reason']}")
        return found

    def _next(self, rows: Sequence[FrozenTrial]) -> Job | None:
        finished = self._finished(rows)
        running = {row.user_attrs.get("slot") for row in rows if row.state == TrialState.RUNNING}
        for slot in range(self.strategy.slots):
            if slot not in finished and slot not in running:
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


def _job(row: FrozenTrial) -> Job:
    """What a row says is to be done."""
    about = row.user_attrs
    return Job(about["slot"], row.params, about["share"], about["parent"], about["baseline"])
