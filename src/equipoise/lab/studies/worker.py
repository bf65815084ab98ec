"""What a worker does with a run of a study."""

import warnings
from collections.abc import Callable
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
from equipoise.lab.studies.trackers import Trackers
from equipoise.lab.training import Settings, train


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
        """Train, or resume an interrupted run, into the run's folder; returns the warnings."""
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
