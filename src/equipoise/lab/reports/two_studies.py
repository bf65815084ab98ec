"""Two study folders compared: what can be compared, how, in what they differ, and the page that shows it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.lab.evaluation import Change, TaskMetric, changes
from equipoise.lab.evaluation.looks import after_looking
from equipoise.lab.evaluation.numbers import counted, fitting
from equipoise.lab.evaluation.study import StudyResults
from equipoise.lab.reports.chart import Chart, Panel, Series
from equipoise.lab.reports.html import render_with_figures, save_page
from equipoise.lab.reports.palette import Look, looks

ASKED = (
    *("settings", "tasks", "options", "versions", "seeds", "methods", "method_files", "budgets"),
    *("equipoise", "data_hash", "case"),
)
SETTINGS = "settings."  # before the names of those of training


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


def write_two_page(two: TwoStudies, page: Path) -> Path:
    """Write the page; it is replaced in one step."""
    return save_page(page, render_two(two))


def render_two(two: TwoStudies) -> str:
    """The whole page as text."""
    look = looks(two.methods)
    return render_with_figures(
        "two.html",
        [differences(two, look)],
        look,
        title=f"{two.names[1]} against {two.names[0]}: Equipoise report",
        two=two,
        changes={(change.method, change.task): change for change in two.changes},
        version=two.version,
    )


def differences(two: TwoStudies, look: Mapping[str, Look]) -> Chart:
    """Second minus first of every method, with its interval, a panel for each task."""
    panels = [panel for metric in two.metrics if (panel := _panel(two, metric, look)) is not None]
    return Chart(
        "differences",
        "Differences between the studies",
        "A mark is the mean difference over the seeds of both studies, its line the paired-t 95 % interval. Filled "
        "marks remain significant after Holm's correction for all comparisons of this page.",
        tuple(panels),
        missing="No differences: nothing can be paired by seed.",
    )


def _panel(two: TwoStudies, metric: TaskMetric, look: Mapping[str, Look]) -> Panel | None:
    shown = [c for c in two.changes if c.task == metric.task and c.comparison is not None]
    series = tuple(_mark(change, place, look) for place, change in enumerate(shown))
    direction = "second is better →" if metric.higher_is_better else "← second is better"
    rows = tuple(look[change.method].label for change in shown)
    if not shown:
        return None
    return Panel(metric.task, f"difference in {metric.name} · {direction}", "", series, rows, zero="x")


def _mark(change: Change, place: int, look: Mapping[str, Look]) -> Series:
    assert change.comparison is not None
    interval = change.comparison.interval
    known = interval.low == interval.low
    low, high = (interval.low, interval.high) if known else (interval.mean, interval.mean)
    bounds = f"95 % interval {low:+.4g} to {high:+.4g}" if known else "no interval"
    return Series(
        "interval",
        change.method,
        (interval.mean,),
        (place,),
        hollow=change.comparison.verdict not in ("better", "worse"),
        low=(low,),
        high=(high,),
        what=look[change.method].label,
        hover=(f"{interval.mean:+.4g}\n{bounds}, {counted(interval.n, 'seed')}\n{change.comparison.verdict}",),
    )
