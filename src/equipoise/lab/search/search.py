"""A search: a strategy's jobs, claimed from a store, done in processes, each trial once."""

import traceback
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optuna.storages import BaseStorage

from equipoise.lab.files import is_transient, make_folder
from equipoise.lab.search.trial import Evaluate, Job, Objective, Report, Strategy, Trial, changes
from equipoise.lab.search.trial_store import TrialStore, alive
from equipoise.lab.training.workers import Event, Execute, run_jobs
from equipoise.own_file import error_line


@dataclass(frozen=True)
class Failure:
    """How an evaluation failed, and whether a retry may succeed, by ``is_transient`` of ``equipoise.lab.files``."""

    line: str
    trace: str
    is_transient: bool = False


@dataclass(frozen=True)
class Attempt:
    """What a worker does with a job; a death of the worker is not its doing."""

    evaluate: Evaluate
    objectives: tuple[Objective, ...]

    def __call__(self, job: Job, report: Report) -> tuple[float, ...] | Failure:
        """The values, or why there are none."""
        try:
            values = tuple(float(value) for value in self.evaluate(job, report))
            if len(values) != len(self.objectives):
                raise ValueError(f"{len(self.objectives)} objectives need as many values, got {values}")
        except Exception as error:
            return Failure(error_line(error), traceback.format_exc(), is_transient(error))
        for value, objective in zip(values, self.objectives, strict=True):
            if not abs(value) < float("inf"):
                line = f"{objective.metric} of {objective.task} is {value}"
                return Failure(line, line)
        return values


class Search:
    """A strategy in a folder.

    The same search, started again, resumes; started several times at once, or on several hosts, its workers share the
    work. A trial whose process died is tried again, up to three times by one worker. One that failed for want of disk
    or memory or by a damaged file stays open for the next start; one that failed by itself is not tried again.

    Args:
        strategy: What is searched, and how.
        objectives: What is measured of each trial, on validation.
        folder: Where the list of trials lies and workers are marked; made if it is not there. Trainings that continue
            from another's state need one folder for all hosts.
        storage: None for a journal in the folder; else a URL or a storage of Optuna.
        name: Of the study in the storage.
        stale_after: Minutes after which a running trial of a host without this folder counts as lost; None: never.
        identity: What else must agree for trials to stand in one list, in a line.

    Raises:
        ValueError: If the folder cannot be written, or holds another search or a damaged one.
    """

    def __init__(
        self,
        strategy: Strategy,
        objectives: Sequence[Objective],
        folder: Path,
        *,
        storage: str | BaseStorage | None = None,
        name: str = "search",
        stale_after: float | None = None,
        identity: str = "",
    ) -> None:
        self.strategy = strategy
        self.objectives: tuple[Objective, ...] = tuple(objectives)
        self.folder = folder
        make_folder(folder)
        self._store = TrialStore(storage, name, strategy, self.objectives, folder, stale_after, identity)

    @property
    def trials(self) -> dict[int, Trial]:
        """The finished trials by number, whoever did them."""
        return self._store.trials()

    @property
    def unfinished(self) -> dict[int, str]:
        """By number, why the last attempt failed without fault of its own; the same search tries them again."""
        return self._store.unfinished()

    @property
    def complete(self) -> bool:
        """Whether every trial is finished."""
        return len(self.trials) == self.strategy.num_trials

    @property
    def whole(self) -> dict[int, Trial]:
        """The trials with a whole training that did not fail: one of these is the answer."""
        return {number: t for number, t in self.trials.items() if t.job.share == 1.0 and t.values is not None}

    @property
    def baseline(self) -> Trial:
        """The trial with the defaults and a whole training, which may have failed.

        Raises:
            ValueError: If it is not finished.
        """
        for trial in self.trials.values():
            if trial.job.share == 1.0 and trial.job.number == trial.job.baseline:
                return trial
        why = "".join(f"; trial {number}: {reason}" for number, reason in self.unfinished.items())
        raise ValueError(f"the trial with the defaults is not finished{why}; the same command tries it again")

    @property
    def changes(self) -> dict[int, float]:
        """Δm of each finished trial against the defaults with as much training, in percent: lower is better."""
        return changes(self.trials, self.objectives)

    def run(
        self, evaluate: Evaluate, jobs: int = 1, execute: Execute[Job] | None = None
    ) -> Generator[Event[Job], None, None]:
        """Do what is missing, ``jobs`` at a time, and yield what happens; closing it gives the rest back.

        ``execute`` does the jobs; None: worker processes.

        Raises:
            ValueError: If ``jobs`` is below 1, or Δm has no meaning for what the defaults brought.
        """
        if jobs < 1:
            raise ValueError(f"jobs must be at least 1, got {jobs}")
        work = Attempt(evaluate, self.objectives)
        with alive(self.folder) as worker, closing((execute or run_jobs)(work, self._jobs(worker), jobs)) as events:
            for event in events:
                if event.kind == "failed":
                    self._store.lose(event.item, worker, event.details[0])
                elif event.kind == "finished":
                    event = self._finish(event.item, worker, event.details[0])
                yield event

    def _finish(self, job: Job, worker: str, outcome: Any) -> Event[Job]:
        if isinstance(outcome, Failure):
            if outcome.is_transient:
                self._store.lose(job, worker, outcome.line, most=1)
            else:
                self._store.finish(job, worker, None, outcome.line)
            return Event("failed", job, (outcome.line, outcome.trace))
        if not self._store.finish(job, worker, outcome):
            late = "it was given to another worker meanwhile; this result is not counted"
            return Event("failed", job, (late, late))
        return Event("finished", job, (outcome,))

    def _jobs(self, worker: str) -> Iterator[Job | None]:
        while not self.complete:
            others = self._store.has_running()
            job = self._store.claim(worker)
            if job is None and not others:
                return  # what is left failed, or waits for what failed
            yield job
