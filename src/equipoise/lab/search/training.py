"""A trial of a case: train with the point's weights and settings, and read how the tasks did on validation."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch

import equipoise as eq
from equipoise.lab.cases import Case, with_losses
from equipoise.lab.cases.recipe import Recipe, made_once
from equipoise.lab.files import DamagedError, save_with_checksum
from equipoise.lab.search.axes import SETTINGS, beside_losses, losses_at
from equipoise.lab.search.space import Space
from equipoise.lab.search.trial import Job, Objective, Report
from equipoise.lab.search.trial_store import JOURNAL
from equipoise.lab.training import Moment, RunResult, Settings, train
from equipoise.lab.training.checkpoint import read_checkpoint, require_same_run
from equipoise.lab.training.loop import describe


class Paused(Exception):  # noqa: N818
    """A stage ended; the checkpoint is written."""


@dataclass(frozen=True)
class CaseTraining:
    """What a worker does with a job.

    Args:
        recipe: Of the case.
        method: As ``eq.method`` takes it.
        space: What the points fix: with ``fixed``, weights are the method's, with others the user's.
        settings: What the points do not fix.
        seed: The same for all trials, so that they differ by their points alone.
        folder: Of the search.
        threads: For torch.
    """

    recipe: Recipe
    method: str
    space: Space
    settings: Settings
    seed: int
    folder: Path
    threads: int

    def __call__(self, job: Job, report: Report) -> list[float]:
        """Each task's primary metric on validation: of the best epoch, or where a stage ends, of its last one."""
        torch.set_num_threads(self.threads)
        case, method, settings = self._parts(job)
        folder = self._place(job.number)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"trial with {', '.join(f'{task}={loss}' for task, loss in case.chosen.items()) or 'the own losses'}"
        run = describe(case, case.tasks.names, method, self.seed, settings, name=name)
        if job.parent is not None:
            self._inherit(job.parent, folder, run)
        last = max(1, round(job.share * settings.epochs))

        def show(epoch: int, epochs: int, skill: float, losses: Mapping[str, float]) -> None:
            report(epoch, last, skill, losses)
            if job.share < 1.0 and epoch >= last:
                raise Paused

        done = max((epoch for epoch, *_ in _history(folder, run)), default=0)
        if done < last or job.share == 1.0:
            with suppress(Paused):
                names = case.tasks.names
                last = train(case, names, method, self.seed, settings, folder, show, name=name).best_epoch
        return _values(_history(folder, run), case, last)

    def _parts(self, job: Job) -> tuple[Case, eq.Method, Settings]:
        made = made_once(self.recipe)
        seen = {name: split for name, split in made.splits.items() if name != "test"}
        case = replace(made, data=seen, diagnostics=())  # a trial is judged on validation, and nobody looks at it
        weights, others = self.space.weights(job.point), self.space.others(job.point)
        if losses := losses_at(case, others):
            case = with_losses(case, losses)
        others = beside_losses(others)
        settings = replace(self.settings, **{field: others.pop(n) for n, field in SETTINGS.items() if n in others})
        if self.method == "fixed":
            factors = list(weights.values()) or [1.0] * len(case.tasks)
            return case, eq.method("fixed", weights=factors, **others), settings
        tasks = [replace(task, weight=weights.get(task.name, task.weight)) for task in case.tasks]
        return replace(case, tasks=eq.Tasks(tasks)), eq.method(self.method, **others), settings

    def _place(self, number: int) -> Path:
        return self.folder / "trials" / f"{number:04d}"

    def _inherit(self, parent: int, folder: Path, run: str) -> None:
        """Begin with a copy of the parent's checkpoint, as the one of this run."""
        path = folder / "checkpoint.pt"
        if path.exists() or (folder / "result.json").exists():
            return  # an interrupted attempt of this job is further
        source, journal = self._place(parent) / "checkpoint.pt", self.folder / JOURNAL
        if not source.is_file():
            raise DamagedError(source, "is missing", journal)
        try:
            state = read_checkpoint(source)
        except DamagedError as error:
            raise DamagedError(source, "is damaged, and this trial begins with it", source, journal) from error
        state["run"] = run
        save_with_checksum(path, state)


def _history(folder: Path, run: str) -> list[Moment]:
    """What a folder holds of a run.

    Raises:
        DamagedError: It is of another run, or not as it was written.
    """
    finished, unfinished = folder / "result.json", folder / "checkpoint.pt"
    if finished.exists():
        result = RunResult.read(finished)
        require_same_run(finished, result.run, run)
        return result.history
    if not unfinished.exists():
        return []
    history: list[Moment] = read_checkpoint(unfinished, run)["progress"]["history"]
    return history


def _values(history: list[Moment], case: Case, epoch: int) -> list[float]:
    """Primary validation metrics at an epoch."""
    seen = {(e, task, quantity): v for e, split, task, quantity, v in history if split == "validation"}
    return [seen[epoch, task, case.made_metrics[task][0].name] for task in case.tasks.names]


def objectives(case: Case) -> tuple[Objective, ...]:
    """The primary metric of each task."""
    primary = {task: case.made_metrics[task][0] for task in case.tasks.names}
    return tuple(Objective(task, metric.name, metric.higher_is_better) for task, metric in primary.items())
