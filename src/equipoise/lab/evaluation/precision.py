"""How sure a table is: wide intervals, and how many more seeds would settle what is open."""

from collections.abc import Sequence
from typing import Protocol

from equipoise.lab.evaluation.metric import TaskMetric
from equipoise.lab.evaluation.numbers import counted, show
from equipoise.lab.evaluation.statistics import FEWEST, LEVEL, MOST_SEEDS, RankTest, reach_of, seeds_to_show
from equipoise.lab.evaluation.table import NONE, Comparison, ComparisonTable, Row

WIDE = 0.02  # of the way from a constant to a perfect prediction: half an interval that counts as wide


class Family(Protocol):
    """All comparisons that are judged together: a table, or the summary of one."""

    @property
    def rows(self) -> Sequence[Row]:
        """With their comparisons."""

    @property
    def ranks(self) -> RankTest | None:
        """Tested with them."""

    @property
    def tested(self) -> int:
        """How many have a p-value."""

    @property
    def level(self) -> float:
        """Of all together."""


def give_precision(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """Sentences on the widest open interval, and on the comparison nearest to a finding, if any is open.

    Where looks are planned there are none: the number of seeds is decided.
    """
    if table.level != LEVEL:
        return ""
    open_ones = _open(table)
    if not open_ones:
        return ""
    sentences = [_widest(open_ones, metrics), _nearest(table, metrics)]
    if any(sentences):
        sentences.append(
            "Decide on the number beforehand: to look after each addition makes chance look like a finding."
        )
    return " ".join(filter(None, sentences))


def nearest(table: ComparisonTable) -> tuple[str, str, Comparison] | None:
    """Method, task and comparison of the open one with the smallest p-value; None where none is open."""
    return min(_open(table), key=lambda one: one[2].interval.p_value, default=None)


def _open(table: ComparisonTable) -> list[tuple[str, str, Comparison]]:
    """The comparisons of the study's question, or with the plain sum, that show no significant difference."""
    return [
        (method, task, comparison)
        for method, task, comparison in table.compared
        if comparison.verdict == "no significant difference" and comparison.interval.half_width > 0
    ]


def _widest(open_ones: Sequence[tuple[str, str, Comparison]], metrics: Sequence[TaskMetric]) -> str:
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


def _nearest(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """The open comparison with the smallest p-value, at the level that Holm's next step asks of it."""
    method, task, comparison = nearest(table) or _open(table)[0]
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
    if needed is None:
        return f"{what}not even {MOST_SEEDS:,} seeds would show a difference of this size; treat them as equal."
    more = needed - interval.n
    return (
        f"{what}about {counted(more, 'more seed')} would show a difference of this size "
        f"(in 8 of 10 studies, if it is the true one, among {counted(table.tested, 'comparison')})."
    )


def seeds_needed(comparison: Comparison, table: Family) -> int | None:
    """How many seeds show an open difference in 8 of 10 studies, if it is the true one, at Holm's next level.

    None where the comparison is not open, has fewer than 3 pairs, or 1,000 seeds are not enough.
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
