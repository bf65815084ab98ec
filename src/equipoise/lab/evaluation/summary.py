"""What a study says: the figures of its table, a verdict in words, and what to do."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.lab.evaluation.budget import Budgets, unequal
from equipoise.lab.evaluation.costs import method_costs
from equipoise.lab.evaluation.folder import read_rows, read_study
from equipoise.lab.evaluation.looks import level_of, look_notes
from equipoise.lab.evaluation.metric import REFERENCE, SINGLE_TASK, TaskMetric, Values
from equipoise.lab.evaluation.notes import (
    SAME_TRAINING,
    check_notes,
    frozen_notes,
    gap_notes,
    loss_notes,
    seeds_of,
    step_notes,
    tuning_notes,
)
from equipoise.lab.evaluation.pairs import Question
from equipoise.lab.evaluation.ranks import Ranks
from equipoise.lab.evaluation.statistics import LEVEL
from equipoise.lab.evaluation.table import Row, make_table
from equipoise.lab.evaluation.wall_clock import EqualTime, equal_time
from equipoise.lab.evaluation.words import give_advice, give_headline


@dataclass(frozen=True)
class Summary:
    """Everything that the terminal's table and the report show of a study.

    Verdicts hold for all of the study at once: the family of every comparison with the plain sum and with
    single-task, and of Friedman's test. Intervals are each by themselves.
    """

    case: str
    title: str
    seeds: tuple[int, ...]
    metrics: tuple[TaskMetric, ...]  # the primary one of each task, in order
    rows: tuple[Row, ...]  # single-task first, then in the order of the study
    ranks: Ranks | None  # by seed
    tested: int  # comparisons in the family
    unequal: tuple[str, ...]  # in what the methods' budgets differ
    equal_time: EqualTime | None  # validation when the cheapest method is done
    notes: tuple[str, ...]  # what is missing or did not stay finite
    complete: bool
    headline: str
    advice: str
    level: float = LEVEL  # of all verdicts together; at a planned look its share
    question: Question = ""  # the one that the study asks, if it asks one

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, in order."""
        return tuple(metric.task for metric in self.metrics)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the balancings in the table, without single-task."""
        return tuple(row.method for row in self.rows if row.method != SINGLE_TASK)

    @property
    def finds(self) -> bool:
        """Whether any verdict, or the test of the ranks, is significant."""
        words = [one.verdict for row in self.rows for score in row.scores.values() for one in score.to.values()]
        return bool(self.ranks and self.ranks.differs) or any(word in ("better", "worse") for word in words)

    def row(self, method: str) -> Row | None:
        """The row of a method, None if it is not in the table."""
        return next((row for row in self.rows if row.method == method), None)

    @classmethod
    def from_folder(cls, folder: Path) -> "Summary":
        """Read the folder of a study.

        Raises:
            ValueError: the folder holds no study, no finished run of it, a damaged file or a link that leads out.
        """
        study = read_study(folder)
        runs, costs, history = (read_rows(folder, f"{name}.csv", study) for name in ("runs", "costs", "history"))
        metrics = [
            TaskMetric(task, **{key: first[key] for key in ("name", "higher_is_better", "perfect", "trivial")})
            for task, (first, *_) in study["metrics"].items()
        ]
        values, notes = _test_values(study, metrics, runs)
        if not values:
            raise ValueError(f"{folder} holds no finished run yet")
        notes += [
            *look_notes(study),
            *tuning_notes(study),
            *frozen_notes(study),
            *loss_notes(values),
            *step_notes(costs),
        ]
        spent = method_costs(costs, len(metrics))
        level = level_of(study)
        table = make_table(values, metrics, spent, study.get("question", ""), seeds=len(study["seeds"]), level=level)
        notes += check_notes(table)
        differing = unequal(_budgets(study), spent)
        return cls(
            case=study["case"],
            title=study["title"],
            seeds=tuple(study["seeds"]),
            metrics=tuple(metrics),
            rows=table.rows,
            ranks=table.ranks,
            tested=table.tested,
            unequal=differing,
            equal_time=equal_time(history, costs, metrics),
            notes=tuple(notes),
            complete=study["complete"],
            headline=give_headline(table, metrics, len(study["seeds"]), differing),
            advice=give_advice(table, metrics),
            level=table.level,
            question=table.question,
        )


def _test_values(
    study: Mapping[str, Any], metrics: Sequence[TaskMetric], runs: Iterable[Mapping[str, str]]
) -> tuple[Values, list[str]]:
    """Finite primary test metrics of the methods that have any run, and notes on what is not there."""
    primary = {(metric.task, metric.name) for metric in metrics}
    found = {
        (row["method"], row["task"], int(row["seed"])): float(row["value"])
        for row in runs
        if row["split"] == "test" and (row["task"], row["metric"]) in primary
    }
    ran = {method for method, _, _ in found}
    methods = [name for name in (SINGLE_TASK, *study["methods"]) if name in ran]
    values: dict[str, dict[str, dict[int, float]]] = {method: {} for method in methods}
    absent: dict[tuple[str, str], tuple[int, ...]] = {}
    broken = []
    for method in methods:
        for metric in metrics:
            keys = {seed: (method, metric.task, seed) for seed in study["seeds"]}
            there = {seed: found[key] for seed, key in keys.items() if key in found}
            values[method][metric.task] = {s: value for s, value in there.items() if math.isfinite(value)}
            absent[method, metric.task] = tuple(seed for seed in study["seeds"] if seed not in there)
            if odd := [seed for seed in there if not math.isfinite(there[seed])]:
                broken.append(f"{method} on {metric.task}: {metric.name} is not finite for {seeds_of(odd)}; left out.")
    without = [name for name in (SINGLE_TASK, *study["methods"]) if name not in ran]
    same = SINGLE_TASK in without and len(metrics) == 1 and REFERENCE in study["methods"]
    if same:
        without.remove(SINGLE_TASK)
    return values, [*([SAME_TRAINING] if same else []), *gap_notes(without, absent, len(metrics)), *broken]


def _budgets(study: Mapping[str, Any]) -> Budgets:
    """Those that a comparison may rest on; empty for a study of an older version.

    The question freeze sets a method beside its own schedule: that this takes its training first is no advantage.
    """
    told = {"trainings"} if study.get("question", "") == "freeze" else set()
    budgets: Budgets = study.get("budgets", {})
    return {method: {key: budget[key] for key in budget if key not in told} for method, budget in budgets.items()}
