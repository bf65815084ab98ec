"""The training of one run of a study in a worker process, and the trackers that log its curves, each run once."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

import equipoise as eq
from equipoise.lab.arms import SUM, TUNED, MethodArm
from equipoise.lab.cases import with_losses
from equipoise.lab.cases.recipe import Recipe, made_once
from equipoise.lab.studies.derived_methods import derived_method
from equipoise.lab.studies.plan import Run, run_name
from equipoise.lab.training import Moment, Settings, train
from equipoise.lab.training.tracking import RunTracker


@dataclass(frozen=True)
class Trackers:
    """The trackers that log a study's curves; pickled into its workers.

    Args:
        kinds: Names of ``equipoise.lab.training.tracking.TRACKERS``.
        folder: Where they write, each into a folder of its name.
    """

    kinds: tuple[str, ...]
    folder: Path

    @contextmanager
    def logging(self, case: str, run: Run) -> Iterator[Callable[[Sequence[Moment]], None]]:
        """Context with a function that logs new moments of a run; left without an error, the run counts as logged."""
        with ExitStack() as stack:
            opened = []
            for kind in self.kinds:
                settings = {"method": str(run.arm), "seed": run.seed, "task": run.task}
                opened.append(RunTracker(kind, self.folder, case, run.folder_name, settings))
                stack.callback(opened[-1].finish)

            def track(moments: Sequence[Moment]) -> None:
                for tracker in opened:
                    tracker.log(moments)

            yield track
        for kind in self.kinds:
            self._logged_file(kind, run).touch()

    def log_finished(self, case: str, run: Run, history: Sequence[Moment]) -> None:
        """Log the history of a finished run to the trackers that do not have it yet."""
        missing = tuple(kind for kind in self.kinds if not self._logged_file(kind, run).exists())
        if missing:
            with Trackers(missing, self.folder).logging(case, run) as track:
                track(history)

    def _logged_file(self, kind: str, run: Run) -> Path:
        """An empty file that exists once a tracker has all of a run."""
        return self.folder / kind / f"{run.folder_name}.whole"


@dataclass(frozen=True)
class Training:
    """The function that a worker calls with a run; pickled into it.

    Args:
        recipe: Of the case, which the worker makes once.
        settings: Of every run.
        folder: Of the runs; each has a folder of its own in it.
        threads: Of torch in one worker.
        trackers: What logs the curves.
        identity_hash: Of the plan, for the name in a run's result.
    """

    recipe: Recipe
    settings: Settings
    folder: Path
    threads: int
    trackers: Trackers
    identity_hash: str

    def __call__(self, run: Run, report: Callable[..., None]) -> list[str]:
        """Train, or resume an interrupted training, into the run's folder; returns the warnings' texts, each once."""
        torch.set_num_threads(self.threads)
        method = self._method(run)
        folder = self.folder / run.folder_name
        folder.mkdir(parents=True, exist_ok=True)
        case = made_once(self.recipe)
        problem = with_losses(case, run.arm.losses) if run.arm.losses else case
        name = run_name(run, self.identity_hash)
        with warnings.catch_warnings(record=True) as caught, self.trackers.logging(case.name, run) as track:
            train(problem, run.tasks, method, run.seed, self.settings, folder, report, track, name)
        return list(dict.fromkeys(str(warning.message) for warning in caught))

    def _method(self, run: Run) -> eq.Method:
        """A new method for a run; frozen and tuned weights are read from what was trained before."""
        if run.source is None and run.arm != TUNED:
            return (run.arm if isinstance(run.arm, MethodArm) else SUM).make()
        source = None if run.source is None else self.folder / run.source.folder_name / "result.json"
        return derived_method(run.arm, made_once(self.recipe).tasks, run.tasks, self.folder.parent, source)
