"""A study's folder as one object: what was asked (study.json) and what came out (its tables), read once."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from time import monotonic, sleep
from typing import Any, NamedTuple

from equipoise.lab.evaluation.folder import FILES, read_rows, read_study
from equipoise.lab.evaluation.metric import SINGLE_TASK, TaskMetric, Values
from equipoise.lab.files import DamagedError

PATIENCE = 2.0  # seconds: a study at work writes its tables, then study.json with their checksums

Curve = Mapping[int, float]  # epoch -> value
Curves = Mapping[tuple[str, str, str], Mapping[int, Curve]]  # (method, task, quantity) -> seed -> curve


class RunScore(NamedTuple):
    """One row of runs.csv."""

    method: str
    seed: int
    split: str
    task: str
    metric: str
    value: float


class RunCost(NamedTuple):
    """One row of costs.csv; ``task`` is ``all``, or the one task of a single-task network."""

    method: str
    seed: int
    task: str
    epochs: int
    best_epoch: int
    steps: int
    seconds_per_step: float
    backwards_per_step: float
    peak_memory_mb: float
    skipped_steps: int
    unsolved_steps: int


class BaselineScore(NamedTuple):
    """One row of baselines.csv: a model of scikit-learn on the test split, trained on ``rows`` ``of`` labelled ones."""

    baseline: str
    task: str
    metric: str
    value: float
    rows: int
    of: int


class RunDiagnostics(NamedTuple):
    """One row of exhibits.csv: where a run's diagnostics are; ``sha256`` is empty in an older folder."""

    method: str
    seed: int
    folder: str
    sha256: str


@dataclass(frozen=True)
class StudyResults:
    """The results of a study as its folder has them.

    Args:
        folder: Of the study.
        settings: study.json as it is.
        scores: The rows of runs.csv.
        costs: The rows of costs.csv.
        curves: history.csv by (method, task, quantity), then by seed, then by epoch. Losses, and what is not of the
            training split, have the split's name before theirs (``train loss``, ``validation rmse``). Values that are
            not finite are left out.
        not_finite: Of each value of history.csv that is not: method, task, quantity, seed, epoch.
        diagnostics: The rows of exhibits.csv; none where no run shows anything.
        baselines: The rows of baselines.csv; none where no model of scikit-learn was trained.
    """

    folder: Path
    settings: Mapping[str, Any]
    scores: tuple[RunScore, ...]
    costs: tuple[RunCost, ...]
    curves: Curves
    not_finite: tuple[tuple[str, str, str, int, int], ...]
    diagnostics: tuple[RunDiagnostics, ...]
    baselines: tuple[BaselineScore, ...] = ()

    @classmethod
    def from_folder(cls, folder: Path) -> "StudyResults":
        """Read a study's folder; while the study is at work in it, wait for tables and study.json that fit together.

        Raises:
            ValueError: A file of the study is missing or damaged, or a link that leads out of the folder.
        """
        until = monotonic() + PATIENCE
        while True:
            settings = read_study(folder)
            try:
                return _read(folder, settings)
            except DamagedError:
                if settings["complete"] or monotonic() > until:
                    raise
                sleep(0.05)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names in the order of the study."""
        return tuple(self.settings["metrics"])

    @property
    def alone(self) -> tuple[str, ...]:
        """The tasks that were to have single-task networks."""
        return tuple(self.settings.get("single_task", self.tasks))

    @cached_property
    def metrics(self) -> tuple[TaskMetric, ...]:
        """The primary metric of each task."""
        kinds = ("name", "higher_is_better", "perfect", "trivial")
        return tuple(
            TaskMetric(task, **{kind: first[kind] for kind in kinds})
            for task, (first, *_) in self.settings["metrics"].items()
        )

    def metric(self, task: str) -> TaskMetric:
        """The primary metric of a task."""
        return self.metrics[self.tasks.index(task)]

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Methods with at least one finished run: single-task networks first, then the study's order."""
        ran = {score.method for score in self.scores}
        return tuple(name for name in (SINGLE_TASK, *self.settings["methods"]) if name in ran)

    @cached_property
    def test_values(self) -> Mapping[tuple[str, str, int], float]:
        """The primary test metric by (method, task, seed)."""
        primary = {(metric.task, metric.name) for metric in self.metrics}
        return {
            (s.method, s.task, s.seed): s.value
            for s in self.scores
            if s.split == "test" and (s.task, s.metric) in primary
        }

    @cached_property
    def values(self) -> Values:
        """The primary test metric by method, task and seed, finite values only."""
        found: dict[str, dict[str, dict[int, float]]] = {m: {t: {} for t in self.tasks} for m in self.methods}
        for (method, task, seed), value in self.test_values.items():
            if method in found and math.isfinite(value):
                found[method][task][seed] = value
        return found

    @cached_property
    def baseline_scores(self) -> Mapping[str, Mapping[str, float]]:
        """The primary test metric of models of scikit-learn, by model and task; finite values only."""
        found: dict[str, dict[str, float]] = {}
        primary = {(metric.task, metric.name) for metric in self.metrics}
        for one in self.baselines:
            if (one.task, one.metric) in primary and math.isfinite(one.value):
                found.setdefault(one.baseline, {})[one.task] = one.value
        return found

    def costs_of(self, method: str) -> dict[int, list[RunCost]]:
        """Seed -> its cost row, or those of all its single-task networks; incomplete seeds are left out."""
        by_seed: dict[int, list[RunCost]] = defaultdict(list)
        for cost in self.costs:
            if cost.method == method:
                by_seed[cost.seed].append(cost)
        whole = len(self.alone) if method == SINGLE_TASK else 1
        return {seed: rows for seed, rows in by_seed.items() if len(rows) == whole}

    @property
    def look(self) -> dict[str, Any]:
        """To look at these verdicts, as study.json notes it."""
        return {"seeds": self.settings["seeds"], "methods": self.settings["methods"], "runs": len(self.costs)}

    def looked_at(self) -> "StudyResults":
        """With this look among those of study.json; to look at the same again is no new one."""
        looks = self.settings.get("looks", [])
        return self if self.look in looks else replace(self, settings={**self.settings, "looks": [*looks, self.look]})


def _read(folder: Path, settings: Mapping[str, Any]) -> StudyResults:
    runs, history, costs = (read_rows(folder, f"{name}.csv", settings) for name in ("runs", "history", "costs"))
    shown, baselines = (
        read_rows(folder, name, settings) if (folder / name).is_file() or name in settings.get(FILES, {}) else []
        for name in ("exhibits.csv", "baselines.csv")
    )
    curves, not_finite = curves_of(history)
    return StudyResults(
        folder=folder,
        settings=settings,
        scores=tuple(RunScore(**_typed(row, RunScore)) for row in runs),
        costs=tuple(RunCost(**_typed(row, RunCost)) for row in costs),
        curves=curves,
        not_finite=not_finite,
        diagnostics=tuple(RunDiagnostics(**_typed({"sha256": "", **row}, RunDiagnostics)) for row in shown),
        baselines=tuple(BaselineScore(**_typed(row, BaselineScore)) for row in baselines),
    )


def curves_of(rows: Iterable[Mapping[str, str]]) -> tuple[Curves, tuple[tuple[str, str, str, int, int], ...]]:
    """The curves of a history's rows, and which of its values are not finite; see ``StudyResults``."""
    curves: dict[tuple[str, str, str], dict[int, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    not_finite = []
    for row in rows:
        value, split, quantity = float(row["value"]), row["split"], row["quantity"]
        named = quantity if split == "train" and quantity != "loss" else f"{split} {quantity}"
        method, task, seed, epoch = row["method"], row["task"], int(row["seed"]), int(row["epoch"])
        if math.isfinite(value):
            curves[method, task, named][seed][epoch] = value
        else:
            not_finite.append((method, task, named, seed, epoch))
    return {key: dict(seeds) for key, seeds in curves.items()}, tuple(not_finite)


def _typed(row: Mapping[str, str], kind: type[NamedTuple]) -> dict[str, Any]:
    """The cells that a row of this kind has, as its types."""
    return {name: of(row[name]) for name, of in kind.__annotations__.items()}
