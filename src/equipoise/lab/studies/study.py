"""A study in its folder: what is finished, what is missing, and doing what is missing."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from equipoise.chain import split
from equipoise.lab.arms import TUNED, MethodArm
from equipoise.lab.diagnostics import diagnostics_hash
from equipoise.lab.evaluation.folder import FILES
from equipoise.lab.evaluation.numbers import listing
from equipoise.lab.files import (
    DamagedError,
    file_hash,
    write_json,
    write_text,
)
from equipoise.lab.search.trial import Job
from equipoise.lab.settings import MANY_TASKS
from equipoise.lab.studies.derived_methods import WeightSearch, read_tuned, write_tuned
from equipoise.lab.studies.looks import FILE, ever_left_out, left_out, looks_in, require_same_looks
from equipoise.lab.studies.plan import Plan, Run, method_files, run_name
from equipoise.lab.studies.sklearn_baselines import is_installed, train_baselines
from equipoise.lab.studies.study_folder import occupy, read_earlier, require_same_study
from equipoise.lab.studies.tables import BASELINES, write_baselines, write_tables
from equipoise.lab.studies.worker import Trackers, Training
from equipoise.lab.training import RunResult
from equipoise.lab.training.tracking import require_tracker
from equipoise.lab.training.workers import Event, Execute, Workers

StudyEvent = Event[Run] | Event[Job]  # a job is a trial of the search for fixed weights
MOST_DAMAGED = 3  # results that an error names


class Study:
    """A plan in a folder.

    Args:
        plan: What to run.
        folder: Where; made if it is not there. Finished runs in it count, whoever asked for them.

    Raises:
        ValueError: The folder cannot be written, holds something else or a damaged file, or was made with settings
            whose runs cannot stand beside the plan's.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        earlier = read_earlier(folder)
        plan = plan.renamed(earlier)
        self.plan = plan
        self.folder = folder
        self.failures: dict[Run, str] = {}
        require_same_study(plan, folder, earlier)
        require_same_looks(plan, folder, earlier)
        now = left_out(plan, folder, earlier)
        seeds = [str(seed) for seed in now["seeds"]]
        named = [f"{'seed' if len(seeds) == 1 else 'seeds'} {listing(seeds)}"] if seeds else []
        self.left_out: tuple[str, ...] = (*now["methods"], *named)
        self._ever_left_out = ever_left_out(now, earlier)
        self.earlier = earlier  # study.json as it was
        self.threads: int | None = earlier.get("threads")  # of each training; known once it runs
        self.results = self._finished()
        self._baselines_hash = earlier.get(FILES, {}).get(BASELINES)
        self._made_anew = bool(earlier.get("made_anew", not earlier and self.results))

    @property
    def missing(self) -> tuple[Run, ...]:
        """The runs that are not finished."""
        return tuple(run for run in self.plan.runs if run not in self.results)

    @property
    def tuned(self) -> bool:
        """Whether the search for tuned weights has an answer, and its table, where it is kept, is as it was written."""
        about, search = read_tuned(self.folder), self.folder / "tuned"
        if about is None or "table" not in about or not search.is_dir():
            return about is not None
        table = search / "trials.csv"
        return table.is_file() and file_hash(table) == about["table"]

    @property
    def tunes(self) -> bool:
        """Whether ``run`` begins with a search for fixed weights."""
        return self.plan.tuned_trials > 0 and (bool(self.missing) or not self.tuned)

    @property
    def lacks_baselines(self) -> bool:
        """Whether models of scikit-learn are to be trained; the case has inputs for them, and they are not there."""
        table = self.folder / BASELINES
        there = table.is_file() and file_hash(table) == self._baselines_hash
        few = len(self.plan.case.tasks) <= MANY_TASKS  # their mean over many would take as many models
        return self.plan.sklearn and few and self.plan.case.features is not None and not there

    @property
    def tried(self) -> int:
        """How many trials of the search for fixed weights are finished."""
        return len(self._search.search.trials) if (self.folder / "tuned").is_dir() else 0

    @cached_property
    def _search(self) -> WeightSearch:
        return WeightSearch(self.plan, self.folder / "tuned")

    def run(
        self, jobs: int, track: Sequence[str] = (), execute: Execute[Any] | None = None
    ) -> Generator[StudyEvent, None, None]:
        """Train what the plan has and the folder lacks: baselines, tuned weights, then runs; yield what happens.

        After each run the folder is up to date. A run that fails is kept in ``failures`` and tried again by the next
        call.

        Args:
            jobs: Processes at a time.
            track: Trackers that take every run's curves, those of runs that are finished already too.
            execute: What does jobs; None: worker processes, the same for the search and the runs.

        Raises:
            ValueError: ``jobs`` is below 1, a tracker is missing, another process is at work in the folder, or its
                search is another.
        """
        require_runnable(jobs, track)
        with occupy(self.folder), closing(Workers()) as workers:
            # The number of threads changes the order of sums, so a study keeps the one it began with.
            self.threads = self.threads or max(1, torch.get_num_threads() // jobs)
            self.failures = {}
            if self.lacks_baselines:
                write_baselines(self.folder, train_baselines(self.plan.case) if is_installed() else ())
            self.write()
            if self.tunes:
                yield from self._tune(self.threads, jobs, execute or workers.run)
            yield from self._train(self.threads, jobs, track, execute or workers.run)

    def _tune(self, threads: int, jobs: int, execute: Execute[Job]) -> Generator[Event[Job], None, None]:
        yield from self._search.run(threads, jobs, execute)
        write_tuned(self.folder, self._search.answer())
        self.write()

    def _train(
        self, threads: int, jobs: int, track: Sequence[str], execute: Execute[Run]
    ) -> Generator[Event[Run], None, None]:
        trackers = Trackers(tuple(track), self.folder / "trackers")
        for run, finished in self.results.items():
            trackers.log_finished(self.plan.case.name, run, finished.history)
        work = Training(
            self.plan.recipe, self.plan.settings, self._runs_folder, threads, trackers, self.plan.identity_hash
        )
        with closing(execute(work, self._queue(), jobs)) as events:
            for event in events:
                if event.kind == "finished" and (result := self._result(event.item)) is not None:
                    self.results[event.item] = result
                    self.write()
                elif event.kind == "finished":
                    line = f"its result is not in {self._runs_folder}: once the disk shows it, the same command has it"
                    self.failures[event.item] = line
                    event = Event("failed", event.item, (line, line))
                elif event.kind == "failed":
                    line, trace = event.details
                    self.failures[event.item] = line
                    folder = self._runs_folder / event.item.folder_name
                    folder.mkdir(parents=True, exist_ok=True)
                    write_text(folder / "error.txt", trace)
                    self.write()
                yield event

    def _queue(self) -> Iterator[Run | None]:
        """What is missing, seed by seed and in each the longest first; a run whose source is not done has to wait."""
        for run in self.missing:
            if run.source is not None and run.source not in self.plan.runs:
                raise ValueError(f"{run} waits for {run.source}, which the plan does not train")
        waiting = sorted(self.missing, key=lambda run: (self.plan.seeds.index(run.seed), -_effort(run)))
        while waiting:
            ready = next((r for r in waiting if r.source is None or r.source in {*self.results, *self.failures}), None)
            if ready is not None:
                waiting.remove(ready)
            yield ready

    def write(self) -> None:
        """Write the CSV files, and study.json with what they must be."""
        files = write_tables(self.folder, self.results, self.plan.arms)
        self._baselines_hash = files.get(BASELINES)
        about = read_tuned(self.folder)
        description = {
            **self.plan.describe(),
            "method_files": {**self.earlier.get("method_files", {}), **method_files(self.plan.arms)},
            "threads": self.threads,
            **({str(TUNED): about} if about else {}),
            "test_reads": max(map(_test_reads, self.results.values()), default=0),
            "failed": {str(run): line for run, line in self.failures.items()},
            "complete": not self.missing,
            FILES: files,
            **({"left_out": self._ever_left_out} if self._ever_left_out else {}),
            **({"looks": looks} if (looks := looks_in(self.folder)) else {}),
            **({"made_anew": True} if self._made_anew else {}),  # looks before are forgotten
        }
        if about and "ended" in about and TUNED in self.plan.arms:
            description["budgets"][str(TUNED)]["trials"] = about["ended"]
        write_json(self.folder / FILE, description)

    @property
    def _runs_folder(self) -> Path:
        return self.folder / "runs"

    def _path(self, run: Run) -> Path:
        return self._runs_folder / run.folder_name / "result.json"

    def _result(self, run: Run) -> RunResult | None:
        path = self._path(run)
        if not path.exists():
            return None
        result = RunResult.read(path, run_name(run, self.plan.identity_hash))
        if result.exhibits and diagnostics_hash(path.parent) != result.exhibits:
            shown = path.with_name("exhibits.json")
            raise DamagedError(shown, "or a picture of it is not as it was written", path.parent)
        return result

    def _finished(self) -> dict[Run, RunResult]:
        found, damaged = {}, []
        for run in self.plan.runs:
            try:
                result = self._result(run)
            except DamagedError as error:
                damaged.append(str(error))
            else:
                if result is not None:
                    found[run] = result
        if (more := len(damaged) - MOST_DAMAGED) > 0:
            damaged = [*damaged[:MOST_DAMAGED], f"{more} more: delete {self._runs_folder} to make all runs anew"]
        if damaged:
            raise ValueError("; ".join(damaged))
        return found


def require_runnable(jobs: int, track: Sequence[str]) -> None:
    """Raise a ValueError where runs cannot be done so.

    Raises:
        ValueError: ``jobs`` is below 1, or a tracker or its package is missing.
    """
    if jobs < 1:
        raise ValueError(f"jobs must be at least 1, got {jobs}")
    if isinstance(track, str):
        raise ValueError(f"track must be a list, such as ['tensorboard'], got {track!r}")
    for kind in track:
        require_tracker(kind)


def _effort(run: Run) -> int:
    """Backward passes of a step, roughly: what is shortest comes last, so that no process waits long for another."""
    takes_gradients = isinstance(run.arm, MethodArm) and split(run.arm.make()).takes_gradients
    return len(run.tasks) * (2 if takes_gradients else 1)


def _test_reads(result: RunResult) -> int:
    """How often a run looked at the test split: once for its scores, and in each epoch that shows it."""
    return len({epoch for epoch, split, *_ in result.history if split == "test"}) + any(
        split == "test" for split, *_ in result.scores
    )
