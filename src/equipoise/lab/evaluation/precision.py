"""How precise a table is: its widest interval, and how many more seeds would show a difference that is open."""

from collections.abc import Sequence
from typing import Protocol

from equipoise.lab.evaluation.comparison import NONE, Comparison
from equipoise.lab.evaluation.metric import TaskMetric
from equipoise.lab.evaluation.numbers import counted, show
from equipoise.lab.evaluation.statistics import FEWEST, LEVEL, MOST_SEEDS, RankTest, reach_of, seeds_to_show
from equipoise.lab.evaluation.table import ComparisonTable, Row

WIDE = 0.02  # an interval is wide whose half-width is above this share of |perfect - trivial| of its metric


class Family(Protocol):
    """All tests that are adjusted together: those of a table, or of its summary."""

    @property
    def rows(self) -> Sequence[Row]:
        """The methods, with their comparisons."""

    @property
    def ranks(self) -> RankTest | None:
        """Friedman's test, if it was made."""

    @property
    def tested(self) -> int:
        """The number of tests with a p-value."""

    @property
    def level(self) -> float:
        """The level of all verdicts together; 0 between two planned looks."""


def precision_sentences(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """Sentences on the widest interval and on the smallest p-value among open comparisons; empty where none is open.

    A comparison is open where it shows no significant difference. Empty also where looks are planned: the number of
    seeds is decided.
    """
    closest = nearest(table)
    if closest is None or table.level != LEVEL:
        return ""
    beforehand = "Decide on the number beforehand: to look after each addition makes chance look like a finding."
    return " ".join(filter(None, (_widest(_open(table), metrics), _nearest(*closest, table, metrics), beforehand)))


def nearest(table: ComparisonTable) -> tuple[str, str, Comparison] | None:
    """Method, task and comparison of the open one with the smallest p-value; None where none is open."""
    return min(_open(table), key=lambda one: one[2].interval.p_value, default=None)


def _open(table: ComparisonTable) -> list[tuple[str, str, Comparison]]:
    """The comparisons of the study's question, or with the reference, that show no significant difference."""
    return [
        (method, task, comparison)
        for method, task, comparison in table.compared
        if comparison.verdict == NONE and comparison.interval.half_width > 0
    ]


def _widest(open_ones: Sequence[tuple[str, str, Comparison]], metrics: Sequence[TaskMetric]) -> str:
    """The widest interval in units of its metric's |perfect - trivial|, if it is wide."""
    by_task = {metric.task: metric for metric in metrics}

    def width(task: str, comparison: Comparison) -> float:
        scale = abs(by_task[task].perfect - by_task[task].trivial)
        return comparison.interval.half_width / scale if scale else 0.0

    _, task, comparison = max(open_ones, key=lambda one: width(*one[1:]))
    if width(task, comparison) <= WIDE:
        return ""
    return (
        f"The intervals are wide (up to ±{show(comparison.interval.half_width)} in {by_task[task].name} on {task}): "
        f"{seeds_to_halve(comparison.interval.n)} seeds would at least halve them."
    )


def _nearest(
    method: str, task: str, comparison: Comparison, table: ComparisonTable, metrics: Sequence[TaskMetric]
) -> str:
    """How many more seeds would show the open comparison with the smallest p-value."""
    interval = comparison.interval
    if interval.n < FEWEST:
        return (
            "Two seeds hardly show how much runs scatter: how many would settle it can be estimated from "
            f"{FEWEST} seeds on, better 5."
        )
    needed = seeds_needed(comparison, table)
    metric = next(metric.name for metric in metrics if metric.task == task)
    what = f"Nearest to a finding is {method} on {task} ({metric} {'+' if interval.mean > 0 else '-'}"
    what += f"{show(abs(interval.mean))}): "
    if needed and not table.question and interval.p_value < table.level:
        return ""  # the findings say of it that it would be significant alone, and with how many seeds it would be one
    if needed is None:
        return f"{what}not even {MOST_SEEDS:,} seeds would show a difference of this size; treat them as equal."
    more = needed - interval.n
    return (
        f"{what}about {counted(more, 'more seed')} would show a difference of this size "
        f"(in 8 of 10 studies, if it is the true one, among {counted(table.tested, 'comparison')})."
    )


def seeds_needed(comparison: Comparison, table: Family) -> int | None:
    """How many seeds in all show an open difference in 8 of 10 studies, if it is the true one, at Holm's next level.

    None where the comparison is not open, has fewer than 3 pairs, or 1,000 seeds are not enough.

    Args:
        comparison: One of the family's.
        table: The family: Holm's next level is its level over the number of tests that are not rejected yet.
    """
    interval = comparison.interval
    if comparison.verdict != NONE or interval.n < FEWEST or not interval.half_width > 0:
        return None
    rejected = sum(
        found.p_adjusted < LEVEL for row in table.rows for score in row.primary.values() for found in score.to.values()
    ) + bool(table.ranks and table.ranks.differs)
    effect = abs(interval.mean) / (interval.half_width / reach_of(interval.n))
    return seeds_to_show(effect, (table.level or LEVEL) / (table.tested - rejected))


def seeds_to_halve(n: int) -> int:
    """How many seeds make an interval from n >= 2 seeds half as long, for the same spread.

    >>> seeds_to_halve(3)
    5
    """
    more = n
    while reach_of(more) > reach_of(n) / 2:
        more += 1
    return more
