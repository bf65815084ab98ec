"""What a worker process does with a run of a study, and the trackers that take its curves, each run once."""

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
from equipoise.lab.studies.plan import run_name
from equipoise.lab.studies.run import Run
from equipoise.lab.training import Moment, Settings, train
from equipoise.lab.training.tracking import RunTracker


@dataclass(frozen=True)
class Trackers:
    """Those that take a study's curves; pickled into its workers.

    Args:
        kinds: Of ``equipoise.lab.training.tracking.TRACKERS``.
        folder: Where they keep them.
    """

    kinds: tuple[str, ...]
    folder: Path

    @contextmanager
    def of_run(self, case: str, run: Run) -> Iterator[Callable[[Sequence[Moment]], None]]:
        """What takes the history of a run as it grows; where it ends well, the run counts as taken."""
        with ExitStack() as ending:
            opened = []
            for kind in self.kinds:
                settings = {"method": str(run.arm), "seed": run.seed, "task": run.task}
                opened.append(RunTracker(kind, self.folder, case, run.folder_name, settings))
                ending.callback(opened[-1].finish)

            def track(moments: Sequence[Moment]) -> None:
                for tracker in opened:
                    tracker.log(moments)

            yield track
        for kind in self.kinds:
            self._mark(kind, run).touch()

    def take_in(self, case: str, run: Run, history: Sequence[Moment]) -> None:
        """The history of a finished run, where a tracker does not have it yet."""
        missing = tuple(kind for kind in self.kinds if not self._mark(kind, run).exists())
        if missing:
            with Trackers(missing, self.folder).of_run(case, run) as track:
                track(history)

    def _mark(self, kind: str, run: Run) -> Path:
        """A file that is there once a tracker has all of a run."""
        return self.folder / kind / f"{run.folder_name}.whole"


@dataclass(frozen=True)
class Training:
    """What a worker does with a run; pickled into it."""

    recipe: Recipe
    settings: Settings
    folder: Path
    threads: int
    trackers: Trackers
    mark: str  # of the plan

    def __call__(self, run: Run, report: Callable[..., None]) -> list[str]:
        """Train, or resume an interrupted training, into the run's folder; returns the warnings."""
        torch.set_num_threads(self.threads)
        method = self._method(run)
        folder = self.folder / run.folder_name
        folder.mkdir(parents=True, exist_ok=True)
        own, chosen = made_once(self.recipe), run.arm.losses
        case = with_losses(own, chosen) if chosen else own
        with warnings.catch_warnings(record=True) as caught, self.trackers.of_run(own.name, run) as track:
            train(case, run.tasks, method, run.seed, self.settings, folder, report, track, run_name(run, self.mark))
        return list(dict.fromkeys(str(warning.message) for warning in caught))

    def _method(self, run: Run) -> eq.Method:
        if run.source is None and run.arm != TUNED:
            return (run.arm if isinstance(run.arm, MethodArm) else SUM).make()
        source = None if run.source is None else self.folder / run.source.folder_name / "result.json"
        return derived_method(run.arm, made_once(self.recipe).tasks, run.tasks, self.folder.parent, source)
