"""A study folder as typed rows: what was asked (study.json), what came out (the three CSV files)."""

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from equipoise.lab.evaluation import SINGLE_TASK, read_rows, read_study


class Score(NamedTuple):
    """One row of runs.csv."""

    method: str
    seed: int
    split: str
    task: str
    metric: str
    value: float


class Cost(NamedTuple):
    """One row of costs.csv; ``task`` is ``all``, or the one task of a single-task network."""

    method: str
    seed: int
    task: str
    epochs: int
    best_epoch: int
    seconds_per_step: float
    backwards_per_step: float
    peak_memory_mb: float
    skipped_steps: int
    unsolved_steps: int


Curve = dict[int, float]  # epoch -> value
CurveKey = tuple[str, str, str]  # method, task, quantity; the quantity of a split is "validation loss"


@dataclass(frozen=True)
class Study:
    """What a report is about.

    Args:
        settings: study.json as it is.
        scores: the rows of runs.csv.
        costs: the rows of costs.csv.
        curves: history.csv by (method, task, quantity), then by seed, then by epoch. Losses are kept
            apart by split (``train loss``, ``validation loss``); non-finite values are left out.
        unplottable: how many values of history.csv are not finite.
    """

    settings: dict[str, Any]
    scores: tuple[Score, ...]
    costs: tuple[Cost, ...]
    curves: dict[CurveKey, dict[int, Curve]]
    unplottable: int

    @classmethod
    def from_folder(cls, folder: Path) -> "Study":
        """Read a study folder.

        Raises:
            ValueError: a file of the study is missing or damaged, or a link that leads out of the folder.
        """
        settings = read_study(folder)
        runs, history, costs = (read_rows(folder, f"{name}.csv", settings) for name in ("runs", "history", "costs"))
        curves: dict[CurveKey, dict[int, Curve]] = defaultdict(lambda: defaultdict(dict))
        unplottable = 0
        for row in history:
            value = float(row["value"])
            if not math.isfinite(value):
                unplottable += 1
                continue
            quantity = f"{row['split']} loss" if row["quantity"] == "loss" else row["quantity"]
            curves[row["method"], row["task"], quantity][int(row["seed"])][int(row["epoch"])] = value
        return cls(
            settings=settings,
            scores=tuple(
                Score(r["method"], int(r["seed"]), r["split"], r["task"], r["metric"], float(r["value"])) for r in runs
            ),
            costs=tuple(
                Cost(
                    r["method"],
                    int(r["seed"]),
                    r["task"],
                    int(r["epochs"]),
                    int(r["best_epoch"]),
                    float(r["seconds_per_step"]),
                    float(r["backwards_per_step"]),
                    float(r["peak_memory_mb"]),
                    int(r["skipped_steps"]),
                    int(r["unsolved_steps"]),
                )
                for r in costs
            ),
            curves={key: dict(seeds) for key, seeds in curves.items()},
            unplottable=unplottable,
        )

    @property
    def tasks(self) -> tuple[str, ...]:
        """Task names in the order of the study."""
        return tuple(self.settings["tasks"])

    @cached_property
    def methods(self) -> tuple[str, ...]:
        """Methods with at least one finished run: single-task networks first, then the study's order."""
        ran = {score.method for score in self.scores}
        return tuple(name for name in (SINGLE_TASK, *self.settings["methods"]) if name in ran)

    def metric(self, task: str) -> dict[str, Any]:
        """The primary metric of a task: name, higher_is_better, perfect, trivial."""
        first: dict[str, Any] = self.settings["metrics"][task][0]
        return first

    def test_values(self, method: str, task: str) -> dict[int, float]:
        """Seed -> primary test metric, finite values only."""
        metric = self.metric(task)["name"]
        return {
            s.seed: s.value
            for s in self.scores
            if (s.method, s.split, s.task, s.metric) == (method, "test", task, metric) and math.isfinite(s.value)
        }

    def costs_of(self, method: str) -> dict[int, list[Cost]]:
        """Seed -> its cost row, or those of all its single-task networks; incomplete seeds are left out."""
        by_seed: dict[int, list[Cost]] = defaultdict(list)
        for cost in self.costs:
            if cost.method == method:
                by_seed[cost.seed].append(cost)
        whole = len(self.tasks) if method == SINGLE_TASK else 1
        return {seed: rows for seed, rows in by_seed.items() if len(rows) == whole}
