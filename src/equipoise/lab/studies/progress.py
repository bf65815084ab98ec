"""The progress of a study: bars on a terminal, and in a notebook that has ipywidgets; elsewhere a line for each run.

A log that has been silent for long hears of an epoch.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from equipoise.lab.evaluation import StudyResults, Summary
from equipoise.lab.search.watch import SILENCE, losses_line
from equipoise.lab.studies.looks import record_look
from equipoise.lab.studies.plan import Plan
from equipoise.lab.studies.run import Run
from equipoise.lab.studies.study import Study, StudyEvent

SPEED_OVER = 1800.0  # seconds back that the time left is told from: some epochs, also where one takes minutes


def run_plan(plan: Plan, folder: Path, console: Console, jobs: int, track: Sequence[str] = ()) -> Study:
    """Do what is missing of a plan in a folder, and show what happens as it happens.

    Where looks are planned it ends at the first at which a difference is significant; one that has more seeds is past.

    Raises:
        ValueError: As of ``Study`` and ``Study.run``.
        OSError: A file cannot be written; a note says what is kept.
        KeyboardInterrupt: The message says what is kept.
    """
    for count in (count for count in plan.planned_looks[:-1] if not _has_finished(plan, folder, plan.seeds[count:])):
        study = _run(Study(replace(plan, seeds=plan.seeds[:count]), folder), console, jobs, track)
        if study.failures:
            return study
        seen = StudyResults.from_folder(folder).looked_at()
        record_look(seen)
        if Summary.of_study(seen).finds:
            spared = f"{len(plan.seeds) - count} of {len(plan.seeds)} seeds are not needed"
            console.print(f"A difference is significant at this look: {spared}.", markup=False)
            return study
    return _run(Study(plan, folder), console, jobs, track)


def _has_finished(plan: Plan, folder: Path, seeds: Sequence[int]) -> bool:
    later = [run for run in plan.runs if run.seed in seeds]
    return any((folder / "runs" / run.folder_name / "result.json").is_file() for run in later)


def _run(study: Study, console: Console, jobs: int, track: Sequence[str]) -> Study:
    try:
        _announce(study, console)
        with closing(study.run(jobs, track)) as events, Watch(console, study) as watch:
            for event in events:
                watch.show(event)
    except OSError as error:
        error.add_note(_kept(study))
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"Stopped: {_kept(study)}; the same command resumes it.") from None
    return study


def _announce(study: Study, console: Console) -> None:
    console.print(f"{_state(study)} in {study.folder}", markup=False, soft_wrap=True)
    if study.left_out:
        console.print(
            f"This table leaves out what the folder also holds: {', '.join(study.left_out)}. To leave out methods or "
            "seeds after looking at them changes what the verdicts mean.",
            markup=False,
            soft_wrap=True,
        )
    if study.tunes:
        console.print(f"Tuned weights: {study.plan.tuned_trials} trials", markup=False)


def _kept(study: Study) -> str:
    return f"{len(study.results)} of {len(study.plan.runs)} runs are finished and kept in {study.folder}"


def _state(study: Study) -> str:
    done, total = len(study.results), len(study.plan.runs)
    if done == total:
        return f"Complete: all {total} runs are finished"
    return f"Resuming: {done} of {total} runs are finished" if done else f"Starting: {total} runs"


class Watch:
    """Shows each event of a study as it comes; a context, because a terminal must be put right again."""

    def __init__(self, console: Console, study: Study) -> None:
        self._console = console
        self._live = console.is_terminal or (console.is_jupyter and find_spec("ipywidgets") is not None)
        self._epochs = study.plan.settings.epochs
        self._total = {True: len(study.plan.runs), False: study.plan.tuned_trials}  # by whether it is a run
        self._ended = {True: len(study.results), False: 0}
        self._bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[note]}", markup=False),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            speed_estimate_period=SPEED_OVER,
            expand=True,
            disable=not self._live,
        )
        left = {True: len(study.missing), False: study.plan.tuned_trials if study.tunes else 0}
        self._whole = {
            is_run: self._bars.add_task(
                "runs" if is_run else "tuned weights",
                total=left[is_run] * self._epochs,
                note=self._count(is_run),
                visible=is_run or left[is_run] > 0,
            )
            for is_run in (True, False)
        }
        self._current: dict[str, TaskID] = {}
        self._epoch: dict[str, int] = {}
        self._warned: set[str] = set()
        self._spoke = self._console.get_time()

    def __enter__(self) -> "Watch":
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def _count(self, is_run: bool) -> str:
        return f"{self._ended[is_run]}/{self._total[is_run]}"

    @property
    def _left(self) -> str:
        """The time left of the runs, once it can be told."""
        seconds = self._bars.tasks[0].time_remaining  # the first are the runs together
        return "" if seconds is None else f"; about {timedelta(seconds=seconds)} left"

    def show(self, event: StudyEvent) -> None:
        """Draw or print what happened."""
        is_run, name = isinstance(event.item, Run), str(event.item)
        if event.kind == "started":
            self._current[name] = self._bars.add_task(f"  {name}", total=self._epochs, note="")
            self._epoch[name] = 0
        elif event.kind == "progress":
            epoch, epochs, skill, losses = event.details
            self._bars.update(
                self._current[name],
                completed=epoch,
                description=f"  {name}\n    {losses_line(losses)}",
                note=f"epoch {epoch}/{epochs}  skill {skill:.3f}",
            )
            self._reach(name, is_run, epoch)
            if not self._live and self._console.get_time() - self._spoke >= SILENCE:
                left = self._left if is_run else ""
                self._say(f"[{self._count(is_run)}] {name}: epoch {epoch}/{epochs}, {losses_line(losses)}{left}")
        else:
            self._bars.remove_task(self._current.pop(name))
            self._reach(name, is_run, self._epochs)  # also where it stopped early
            self._ended[is_run] += 1
            self._bars.update(self._whole[is_run], note=self._count(is_run))
            if event.kind == "failed":
                self._say(f"[{self._count(is_run)}] {name}: FAILED, {event.details[0]}")
                return
            if not self._live:
                self._say(f"[{self._count(is_run)}] {name}: done")
            if is_run:
                self._warn(name, *event.details)

    def _warn(self, name: str, warnings: Sequence[str]) -> None:
        """Say what a person does not see otherwise; a warning once, however many runs give it."""
        for warning in warnings:
            if warning not in self._warned:
                self._warned.add(warning)
                self._say(f"Warning from {name}: {warning}")

    def _reach(self, name: str, is_run: bool, epoch: int) -> None:
        self._bars.advance(self._whole[is_run], epoch - self._epoch[name])
        self._epoch[name] = epoch

    def _say(self, line: str) -> None:
        self._spoke = self._console.get_time()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
