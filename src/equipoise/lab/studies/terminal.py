"""A study's table and verdict, as a terminal of 80 columns shows them."""

from collections.abc import Callable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from equipoise.lab.evaluation import FORMULA, SINGLE_TASK, Comparison, Interval, Summary, TaskMetric, show

STYLES = {"better": "green", "worse": "red", "not distinguishable": "dim"}


def print_summary(console: Console, summary: Summary) -> None:
    """Print one table per task, one over all tasks, what they mean, and the verdict."""
    console.print()
    console.print(Text(summary.title, style="bold"))
    for metric in summary.metrics:
        console.print(_task_table(summary, metric))
    console.print(_overall_table(summary))
    for line in (*_legend(summary), *(f"Note: {note}" for note in summary.notes)):
        console.print(Text(line, style="dim"))
    console.print()
    console.print(Text(summary.headline, style="bold"))
    console.print(Text(summary.advice, style="bold"))


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        table.add_column(column, overflow="fold", header_style="underline", no_wrap=place > 0)
    return table


def _task_table(summary: Summary, metric: TaskMetric) -> Table:
    direction = "higher" if metric.higher_is_better else "lower"
    table = _table(
        f"\n{metric.task}: {metric.name}, {direction} is better",
        "method",
        "mean ± sd",
        "difference to sum, 95 %",
        "verdict",
    )
    for row in summary.rows:
        score = row.scores[metric.task]
        spread = f" ± {show(score.spread)}" if score.spread == score.spread else ""
        table.add_row(
            Text(row.method), f"{show(score.mean)}{spread}", _difference(score.to_sum), _verdict(score.to_sum)
        )
    return table


def _difference(comparison: Comparison | None) -> Text:
    return Text("") if comparison is None else Text(_interval(comparison.interval, _signed))


def _interval(interval: Interval, number: Callable[[float], str]) -> str:
    ends = f" [{number(interval.low)}, {number(interval.high)}]" if interval.low == interval.low else ""
    return f"{number(interval.mean)}{ends}"


def _signed(value: float) -> str:
    return f"{'-' if value < 0 else '+'}{show(abs(value))}"


def _verdict(comparison: Comparison | None) -> Text:
    return Text("") if comparison is None else Text(comparison.verdict, style=STYLES[comparison.verdict])


def _overall_table(summary: Summary) -> Table:
    table = _table("\nall tasks", "method", "Δm in %, 95 %", "mean rank", "ms per step", "to sum")
    for row in summary.rows:
        table.add_row(
            Text(row.method),
            Text("") if row.delta_m is None else Text(_interval(row.delta_m, "{:+.2f}".format)),
            "" if row.mean_rank is None else f"{row.mean_rank:.2f}",
            "" if row.seconds_per_step is None else f"{1000 * row.seconds_per_step:.2f}",
            "" if row.cost_ratio is None else f"x{row.cost_ratio:.2f}",
        )
    return table


def _legend(summary: Summary) -> list[str]:
    """What the columns mean, as far as they have any content."""
    lines = [""]
    found = [score.to_sum for row in summary.rows for score in row.scores.values() if score.to_sum]
    compared = sum(comparison.p_adjusted == comparison.p_adjusted for comparison in found)
    if compared:
        lines.append(
            "Differences are paired by seed: intervals by Student's t, each by itself; verdicts at 5 % for all "
            f"{compared} comparisons together (Holm)."
        )
    if any(row.delta_m for row in summary.rows):
        lines.append(f"{FORMULA}; baseline: one network per task ({SINGLE_TASK}); lower is better.")
    if any(row.mean_rank for row in summary.rows):
        lines.append("Mean rank: among the balancings, over the tasks, 1 is best.")
    if summary.row(SINGLE_TASK):
        lines.append(f"A step of {SINGLE_TASK} is one step of each of its networks.")
    return lines
