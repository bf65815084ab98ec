"""What a training loop of one's own did: curves, weights, gradients, predictions, as a study's report shows them."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from importlib.metadata import version
from math import isfinite
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from equipoise.lab.api.given import rejects_unknown_options
from equipoise.lab.diagnostics import DiagnosticResult, Predictions, make_diagnostics
from equipoise.lab.diagnostics.classification import diagnostics_by_loss
from equipoise.lab.evaluation import Fit, StudyResults, counted, fit_of, has_diverged, listing
from equipoise.lab.evaluation.study import RunScore, curves_of
from equipoise.lab.training.measurements import Means
from equipoise.lab.training.result import Moment
from equipoise.names import nearest, require_unique
from equipoise.record import Record
from equipoise.task import Task
from equipoise.tasks import Tasks

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from equipoise.lab.reports.report import Drawing

METHOD = "training"  # the only one of a record


def split_name(name: str, tasks: Iterable[str]) -> tuple[str, str] | None:
    """Task and metric of ``task/metric``; a task's name may have a slash. None where it begins with no task.

    >>> split_name("road/left/iou", ["road", "road/left"]), split_name("loss", ["road"])
    (('road/left', 'iou'), None)
    """
    found = [task for task in tasks if name.startswith(f"{task}/") and len(name) > len(task) + 1]
    return (task := max(found, key=len), name[len(task) + 1 :]) if found else None


class Recorder:
    """Record a training loop of one's own; the same quantities as of a study's training, drawn by the same code.

    Args:
        tasks: ``Tasks``, tasks, or their names; outputs of validation need tasks.
        epochs: How many were allowed, for the verdict of under-fitting; None: as many as are recorded.
        title: Of the report.

    Raises:
        ValueError: A task is none, there is no task or one twice, or ``epochs`` is no whole number of at least 1.

    >>> recorder = Recorder(["size", "kind"])
    >>> for epoch in range(1, 4):
    ...     recorder.validate(epoch, {"size/loss": 1.0 / epoch, "kind/loss": 2.0 / epoch})
    >>> recorder.headline
    'Over- and under-fitting are not judged: that takes 3 epochs with steps and validation losses.'
    """

    @rejects_unknown_options
    def __init__(
        self, tasks: Tasks | Iterable[Task] | Iterable[str], *, epochs: int | None = None, title: str = "Training"
    ) -> None:
        if isinstance(tasks, str):
            raise ValueError(
                f"tasks must be Tasks, or a list of tasks or of their names, such as [{tasks!r}], got {tasks!r}"
            )
        given = tuple(tasks)
        if not given:
            raise ValueError("there is no task to record: give one or more")
        whole = all(isinstance(task, Task) for task in given)
        if not whole and (strangers := [one for one in given if not isinstance(one, str)]):
            raise ValueError(f"a task is a Task or a name, got {strangers[0]!r}")
        self.tasks: Tasks | None = tasks if isinstance(tasks, Tasks) else None
        if whole and self.tasks is None:
            self.tasks = Tasks(given)  # type: ignore[arg-type]
        self.names: tuple[str, ...] = self.tasks.names if self.tasks else given  # type: ignore[assignment]
        require_unique(self.names)
        if epochs is not None and _whole("epochs", epochs) < 1:
            raise ValueError(f"epochs must be at least 1 or None, got {epochs}")
        self.title = title
        self.history: list[Moment] = []
        self.predictions: Predictions | None = None  # of the last validation that had outputs
        self._allowed = epochs
        self._means = Means(self.names)
        self._last: Record | None = None

    def step(self, record: Record) -> None:
        """Take in what a step did; ``balancer.record`` after ``backward``.

        A record that was taken in already is not counted again: a batch without any label leaves the old one.

        Raises:
            ValueError: It has another task.
        """
        if record is self._last:
            return
        for name in record.names:
            self._require(name)
        self._last = record
        self._means.add("loss", record.losses)
        self._means.add_record(record)

    def validate(
        self,
        epoch: int,
        values: Mapping[str, Any] | None = None,
        *,
        outputs: Mapping[str, Tensor] | None = None,
        targets: Mapping[str, Tensor] | None = None,
    ) -> None:
        """End an epoch.

        Args:
            epoch: Counted from 1.
            values: What validation found, as ``"task/metric"``; with ``"task/loss"`` over-fitting is judged.
            outputs: Of the whole validation split, by output name [N, ...]: losses and predictions follow from them.
            targets: Its labels, by target name [N, ...].

        Raises:
            ValueError: The epoch is no whole number that follows, a name is unknown, or outputs are given for names of
                tasks.
        """
        epoch = _whole("epoch", epoch)
        if epoch <= self.epoch:
            raise ValueError(f"epoch must be above {self.epoch}, the last that was recorded, got {epoch}")
        found: dict[tuple[str, str], float] = {}
        if outputs is not None:
            found |= self._losses(outputs, targets or {})
        for key, value in (values or {}).items():
            if (named := split_name(str(key), self.names)) is None:
                task, slash, quantity = str(key).partition("/")
                if slash and quantity:
                    self._require(task)
                raise ValueError(f"values are named 'task/metric', such as '{self.names[0]}/loss', got {key!r}")
            found[named] = float(value.detach() if isinstance(value, Tensor) else value)
        self.history += [(epoch, "train", *row) for row in self._means.rows()]
        self.history += [(epoch, "validation", *name, value) for name, value in found.items()]
        self._means = Means(self.names)
        self.__dict__.pop("study", None)

    @property
    def epoch(self) -> int:
        """The last that was recorded; 0 before."""
        return self.history[-1][0] if self.history else 0

    @property
    def epochs(self) -> int:
        """How many were allowed."""
        return self.epoch if self._allowed is None else self._allowed

    @property
    def fits(self) -> dict[str, Fit]:
        """Whether the loss curves of each task show over- or under-fitting, by the rule of a study's report."""
        return {task: fit_of(self.study, METHOD, task, 0) for task in self.names}

    @property
    def headline(self) -> str:
        """Over- and under-fitting in one sentence."""
        tasks: dict[Fit, list[str]] = {}
        for task, fit in self.fits.items():
            tasks.setdefault(fit, []).append(task)
        parts = [f"{fit} on {listing(tasks[fit])}" for fit in ("over-fitting", "under-fitting") if fit in tasks]
        if diverged := self._diverged:
            parts.append(f"the last loss is not finite on {listing(diverged)}")
        if parts:
            return f"After {counted(self.epoch, 'epoch')}: {'; '.join(parts)}."
        if "neither" in tasks:
            return f"After {counted(self.epoch, 'epoch')}: no over- or under-fitting on {listing(tasks['neither'])}."
        return "Over- and under-fitting are not judged: that takes 3 epochs with steps and validation losses."

    @property
    def _diverged(self) -> list[str]:
        """Tasks whose last training or validation loss is NaN or infinite."""
        return [task for task in self.names if has_diverged(self.study, METHOD, task, 0)]

    @property
    def diagnostics(self) -> tuple[DiagnosticResult, ...]:
        """Confusion matrices, and precision, recall and F1, of the last outputs; nothing without any."""
        seen = self.predictions
        return () if seen is None else make_diagnostics(diagnostics_by_loss(seen), seen)

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that ``plot`` can draw."""
        return self._drawing.figures

    def plot(self, name: str = "losses") -> "Figure":
        """A figure of a study's report as a matplotlib figure.

        Raises:
            ValueError: There is no such figure, or nothing to draw in it.
        """
        return self._drawing.plot(name)

    def save_report(self, page: str | Path = "training.html") -> Path:
        """Write all of it as one HTML file that needs no network.

        Returns:
            The path of the page.
        """
        from equipoise.lab.reports import write_training_report

        write_training_report(self.study, self.title, self.headline, self._drawing.diagnostics, Path(page))
        return Path(page)

    @cached_property
    def study(self) -> StudyResults:
        """The record as the results of a study with one method."""
        columns = ("method", "seed", "epoch", "split", "task", "quantity", "value")
        rows = [dict(zip(columns, map(str, (METHOD, 0, *moment)), strict=True)) for moment in self.history]
        curves, not_finite = curves_of(rows)
        loss = {"name": "loss", "higher_is_better": False, "perfect": 0.0, "trivial": 0.0}
        settings = {
            "title": self.title,
            "methods": [METHOD],
            "seeds": [0],
            "metrics": {task: [loss] for task in self.names},
            "settings": {"epochs": self.epochs},
            "equipoise": version("equipoise"),
        }
        scores = tuple(
            RunScore(METHOD, 0, split, task, name, value)
            for epoch, split, task, name, value in self.history
            if epoch == self.epoch and isfinite(value)
        )
        return StudyResults(Path(), settings, scores, (), curves, not_finite, ())

    @property
    def _drawing(self) -> "Drawing":
        from equipoise.lab.reports.diagnostics import StudyDiagnostics
        from equipoise.lab.reports.report import Drawing

        shown = self.diagnostics
        return Drawing(None, self.study, StudyDiagnostics({METHOD: shown}, (), 0) if shown else None)

    @torch.no_grad()
    def _losses(self, outputs: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[tuple[str, str], float]:
        if self.tasks is None:
            raise ValueError(f"outputs need tasks with losses: Recorder(eq.Tasks([...])), not names {list(self.names)}")
        outputs_kept, targets_kept = (
            {name: value.detach().cpu() for name, value in one.items()} for one in (outputs, targets)
        )
        self.predictions = Predictions(nn.Identity(), self.tasks, outputs_kept, targets_kept, (), _no_inputs)
        losses = self.tasks.losses(outputs, targets)
        return {(name, "loss"): float(loss) for name, loss in losses.items()}

    def _require(self, task: str) -> None:
        if task not in self.names:
            raise ValueError(f"no task {task!r} is recorded; {nearest(task, self.names)}")

    def __repr__(self) -> str:
        return f"<Recorder of {self.title}: {self.headline}>"


def _whole(name: str, number: Any) -> int:
    try:
        if isinstance(number, bool):
            raise TypeError
        return index(number)
    except TypeError:
        raise ValueError(f"{name} must be a whole number, got {number!r}") from None


def _no_inputs(samples: list[Any]) -> tuple[Any, Any]:
    raise ValueError("a recorder is given outputs and targets alone: there are no inputs to show")
