"""Two studies compared: what each method reaches in one and in the other, and in what else they differ."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from equipoise.lab.evaluation.comparison import Comparison, compare_by_seed, judged_comparison
from equipoise.lab.evaluation.looks import after_looking
from equipoise.lab.evaluation.metric import TaskMetric, Values
from equipoise.lab.evaluation.numbers import counted, fitting
from equipoise.lab.evaluation.statistics import holm
from equipoise.lab.evaluation.study import StudyResults

ASKED = (
    *("settings", "tasks", "options", "versions", "seeds", "methods", "method_files", "budgets"),
    *("equipoise", "data_hash", "case"),
)
SETTINGS = "settings."  # before the names of those of training


@dataclass(frozen=True)
class Change:
    """A method on a task in two studies: the means over all seeds of each, and the paired difference.

    ``comparison`` is second minus first over the seeds of both, its verdict corrected by Holm's procedure over all
    changes; None where nothing can be paired.
    """

    method: str
    task: str
    first: float
    second: float
    comparison: Comparison | None


def changes(
    first: Values,
    second: Values,
    metrics: Sequence[TaskMetric],
    *,
    same_data: bool,
    asked: tuple[int, int] | None = None,
) -> tuple[Change, ...]:
    """Every method that both studies have, on every task.

    Args:
        first: Primary test metrics of one study.
        second: Those of the other.
        metrics: Of the tasks that both have.
        same_data: Whether a seed means the same samples in both; without that nothing is paired.
        asked: How many seeds each was to have; None: as many as there are. Where a side lacks more than a tenth of
            them, no verdict is in its favour.
    """
    found, runs = [], {}
    for method in (name for name in first if name in second):
        for metric in metrics:
            a, b = first[method].get(metric.task, {}), second[method].get(metric.task, {})
            if a and b:
                comparison = compare_by_seed(b, a, metric) if same_data else None
                of_first, of_second = asked or (len(a), len(b))
                runs[method, metric.task] = [
                    (f"{method} in the second", len(b), of_second),
                    (f"{method} in the first", len(a), of_first),
                ]
                found.append(Change(method, metric.task, fmean(a.values()), fmean(b.values()), comparison))
    paired = [change for change in found if change.comparison is not None]
    adjusted = iter(holm([change.comparison.interval.p_value for change in paired if change.comparison]))
    higher = {metric.task: metric.higher_is_better for metric in metrics}
    return tuple(
        change
        if change.comparison is None
        else replace(
            change,
            comparison=judged_comparison(
                replace(change.comparison, p_adjusted=next(adjusted)),
                higher_is_better=higher[change.task],
                runs=runs[change.method, change.task],
            ),
        )
        for change in found
    )


@dataclass(frozen=True)
class TwoStudies:
    """What a comparison of two studies shows.

    Args:
        names: Of the first and the second folder.
        titles: Of their cases.
        metrics: The primary metrics that both have, by task.
        changes: Second minus first.
        differing: Settings that differ: name, value in the first, value in the second.
        notes: What was left out, and why.
        paired: Whether seeds are paired: both studies have the same data.
        version: Of the library that wrote the second.
    """

    names: tuple[str, str]
    titles: tuple[str, str]
    metrics: tuple[TaskMetric, ...]
    changes: tuple[Change, ...]
    differing: tuple[tuple[str, str, str], ...]
    notes: tuple[str, ...]
    paired: bool
    version: str

    @property
    def methods(self) -> tuple[str, ...]:
        """Those that both studies have."""
        return tuple(dict.fromkeys(change.method for change in self.changes))

    @property
    def headline(self) -> str:
        """The outcome in a sentence."""
        a, b = self.names
        judged = [change for change in self.changes if change.comparison is not None]
        if not judged:
            why = "they share no seed" if self.paired else "their data differ"
            return f"{a} and {b} stand side by side without a verdict: {why}."
        of = f"Of {counted(len(judged), 'comparison')} of {b} with {a}"
        short = f"Of {counted(len(judged), 'comparison')} of the second study with the first"
        found = {
            word: [f"{c.method} on {c.task}" for c in judged if c.comparison and c.comparison.verdict == word]
            for word in ("better", "worse")
        }
        if not found["better"] and not found["worse"]:
            rest = "none shows a significant difference."
            return fitting(f"{of}, {rest}", f"{short}, {rest}")
        counts = [f"{len(found[word])} significantly {word}" for word in ("better", "worse") if found[word]]
        named = [f"{count} ({', '.join(found[count.split()[-1]])})" for count in counts]
        told, count = " and ".join(named), " and ".join(counts)
        rest = "no other differs significantly."
        return fitting(f"{of}, {told}; {rest}", f"{of}, {count}; {rest}", f"{short}, {count}.")

    @property
    def unequal(self) -> tuple[str, ...]:
        """Which settings of training differ, and how many trials chose a method's own, in words."""
        words = {f"budgets.{method}.trials": f"search trials of {method}" for method in self.methods}
        for key, _, _ in self.differing:
            if key.startswith(SETTINGS):
                words[key] = key.removeprefix(SETTINGS).replace("_", " ")
        a, b = self.names
        return tuple(f"{words[key]} ({a} {one}, {b} {other})" for key, one, other in self.differing if key in words)

    @classmethod
    def from_folders(cls, first: Path, second: Path) -> "TwoStudies":
        """Read both folders.

        Raises:
            ValueError: A folder holds no study, or the two share no task with one metric, or no method.
        """
        a, b = StudyResults.from_folder(first), StudyResults.from_folder(second)
        metrics, notes = _common_metrics(first, a, second, b)
        ours, theirs = (
            {method: {m.task: study.values[method][m.task] for m in metrics} for method in study.methods}
            for study in (a, b)
        )
        same_data = a.settings["data_hash"] == b.settings["data_hash"]
        asked = (len(a.settings["seeds"]), len(b.settings["seeds"]))
        found = changes(ours, theirs, metrics, same_data=same_data, asked=asked)
        if not found:
            raise ValueError(
                f"{first} and {second} have no method with a finished run in common: there are "
                f"{', '.join(a.methods) or 'none'}, and {', '.join(b.methods) or 'none'}"
            )
        names = (first.name, second.name) if first.name != second.name else (str(first), str(second))
        notes += [
            f"No verdict on {one.method} on {one.task}: runs are missing."
            for one in found
            if one.comparison and one.comparison.verdict == "no verdict"
        ]
        notes += _left_out(names, a, b)
        notes += [
            f"{name}: {note}" for name, one in zip(names, (a, b), strict=True) for note in after_looking(one.settings)
        ]
        titles = (str(a.settings["title"]), str(b.settings["title"]))
        differing = tuple(_differing(a.settings, b.settings))
        version = str(b.settings["equipoise"])
        return cls(names, titles, metrics, found, differing, tuple(notes), same_data, version)


def _common_metrics(
    first: Path, a: StudyResults, second: Path, b: StudyResults
) -> tuple[tuple[TaskMetric, ...], list[str]]:
    both = [task for task in a.tasks if task in b.tasks]
    same = [task for task in both if _is_same(a.metric(task), b.metric(task))]
    if not same:
        listed = ["; ".join(f"{task} by {study.metric(task).name}" for task in study.tasks) for study in (a, b)]
        raise ValueError(
            f"{first} and {second} cannot be compared, no task is judged by the same metric in both: "
            f"{listed[0]}, and {listed[1]}"
        )
    metrics = tuple(map(a.metric, same))
    notes = [
        f"{task} is judged by {a.metric(task).name} in one and by {b.metric(task).name} in the other; left out."
        for task in both
        if task not in same
    ]
    alone = [task for task in dict.fromkeys((*a.tasks, *b.tasks)) if task not in both]
    return metrics, [*notes, *([f"In one study only: task {', '.join(alone)}."] if alone else [])]


def _is_same(one: TaskMetric, other: TaskMetric) -> bool:
    return (one.name, one.higher_is_better) == (other.name, other.higher_is_better)


def _left_out(names: tuple[str, str], a: StudyResults, b: StudyResults) -> list[str]:
    alone = [[method for method in one.methods if method not in other.methods] for one, other in ((a, b), (b, a))]
    return [f"In {name} only: {', '.join(methods)}." for name, methods in zip(names, alone, strict=True) if methods]


def _differing(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    both = [method for method in a.get("budgets", {}) if method in b.get("budgets", {})]
    flat = [dict(_flat(_asked(study, both))) for study in (a, b)]
    for key in dict.fromkeys((*flat[0], *flat[1])):
        one, other = (part.get(key, "none") for part in flat)
        if one != other:
            yield key, one, other


def _asked(study: Mapping[str, Any], methods: Iterable[str]) -> dict[str, Any]:
    """What was asked for, with the budgets of these methods; an older study does not say that a run is one training."""
    budgets = {method: {"trainings": 1, **study["budgets"][method]} for method in methods}
    return {key: budgets if key == "budgets" else study[key] for key in ASKED if key in study}


def _flat(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    """Nested values by names with dots between them, as text."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", ", ".join(map(str, value)) if isinstance(value, list) else str(value)
