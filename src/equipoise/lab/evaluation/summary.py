"""What a study says: the figures of its table, a verdict in words, and what to do."""

import csv
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.lab.evaluation.budget import unequal
from equipoise.lab.evaluation.costs import method_costs
from equipoise.lab.evaluation.metric import SINGLE_TASK, TUNED, TaskMetric, Values
from equipoise.lab.evaluation.numbers import listing
from equipoise.lab.evaluation.pairs import Question
from equipoise.lab.evaluation.ranks import Ranks
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
    question: Question = ""  # the one that the study asks, if it asks one

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks, in order."""
        return tuple(metric.task for metric in self.metrics)

    @property
    def methods(self) -> tuple[str, ...]:
        """Names of the balancings in the table, without single-task."""
        return tuple(row.method for row in self.rows if row.method != SINGLE_TASK)

    def row(self, method: str) -> Row | None:
        """The row of a method, None if it is not in the table."""
        return next((row for row in self.rows if row.method == method), None)

    @classmethod
    def from_folder(cls, folder: Path) -> "Summary":
        """Read the folder of a study.

        Raises:
            ValueError: the folder holds no study, or no finished run of it.
        """
        try:
            study = json.loads((folder / "study.json").read_text(encoding="utf-8"))
            runs, costs, history = (_read(folder / f"{name}.csv") for name in ("runs", "costs", "history"))
        except (FileNotFoundError, NotADirectoryError) as error:
            missing = Path(error.filename).name
            raise ValueError(f"{folder} is not the folder of a study: it has no {missing}") from None
        metrics = [
            TaskMetric(task, **{key: first[key] for key in ("name", "higher_is_better", "perfect", "trivial")})
            for task, (first, *_) in study["metrics"].items()
        ]
        values, notes = _test_values(study, metrics, runs)
        if not values:
            raise ValueError(f"{folder} holds no finished run yet")
        notes += [*_tuning_notes(study), *_step_notes(costs)]
        spent = method_costs(costs, len(metrics))
        table = make_table(values, metrics, spent, study.get("question", ""))
        differing = unequal(study.get("budgets", {}), spent)  # a study of an older version holds no budgets
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
            question=table.question,
        )


def _read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _test_values(
    study: Mapping[str, Any], metrics: Sequence[TaskMetric], runs: Iterable[Mapping[str, str]]
) -> tuple[Values, list[str]]:
    """Finite primary test metrics of the methods that have any run, and a note on each gap."""
    primary = {(metric.task, metric.name) for metric in metrics}
    found = {
        (row["method"], row["task"], int(row["seed"])): float(row["value"])
        for row in runs
        if row["split"] == "test" and (row["task"], row["metric"]) in primary
    }
    values: dict[str, dict[str, dict[int, float]]] = {}
    notes = []
    for method in (SINGLE_TASK, *study["methods"]):
        if not any(name == method for name, _, _ in found):
            notes.append(f"{method}: no finished run.")
            continue
        values[method] = {}
        unfinished: dict[str, list[str]] = {}  # by the seeds, the tasks
        for metric in metrics:
            keys = {seed: (method, metric.task, seed) for seed in study["seeds"]}
            there = {seed: found[key] for seed, key in keys.items() if key in found}
            values[method][metric.task] = {s: value for s, value in there.items() if math.isfinite(value)}
            absent = [seed for seed in study["seeds"] if seed not in there]
            broken = [seed for seed in there if not math.isfinite(there[seed])]
            if absent:
                unfinished.setdefault(_seeds(absent), []).append(metric.task)
            if broken:
                notes.append(f"{method} on {metric.task}: {metric.name} is not finite for {_seeds(broken)}; left out.")
        for seeds, tasks in unfinished.items():
            where = "" if len(tasks) == len(metrics) else f" on {listing(tasks)}"
            notes.append(f"{method}{where}: no finished run for {seeds}.")
    return values, notes


def _tuning_notes(study: Mapping[str, Any]) -> list[str]:
    """With how much effort the tuned weights were found, or that there are none."""
    if study.get("tuned_trials") == 0 and study.get("question", "") == "" and len(study["metrics"]) > 1:
        return [f"{TUNED}: left out (--tuned-trials 0), so whether any method beats tuned fixed weights is not known."]
    about = study.get(TUNED, {}) if TUNED in study["methods"] else {}
    if "weights" not in about:
        return [f"{TUNED}: {about['reason']}"] if "reason" in about else []
    weights = ", ".join(f"{task} {weight:.3g}" for task, weight in about["weights"].items())
    return [
        f"{TUNED}: {weights}, the best of {about['trials']} trials on validation with seed {about['seed']}; every "
        "other method was tried with one setting."
    ]


def _step_notes(costs: Iterable[Mapping[str, str]]) -> list[str]:
    """A note on each run with steps that were not taken, or that the method could not solve."""
    told = {"skipped_steps": "not taken (gradient not finite)", "unsolved_steps": "without solution"}
    return [
        f"{row['method']}, seed {row['seed']}: {row[column]} of {row['steps']} steps {what}."
        for row in costs
        for column, what in told.items()
        if int(row.get(column, 0))
    ]


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}"
