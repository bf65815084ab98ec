"""Every table of a study, as a terminal of 80 columns shows them."""

import re
from collections.abc import Callable, Iterator, Mapping
from math import isnan

from rich.table import Table
from rich.text import Text

from equipoise.lab.arms import StudyArm
from equipoise.lab.evaluation import (
    FORMULA,
    RATIO_FORMULA,
    TUNED,
    Against,
    Comparison,
    EqualTime,
    MethodCost,
    Row,
    Score,
    Summary,
    TaskMetric,
    all_of,
    show,
    signed,
    with_interval,
)

NAME = 15  # letters that stay in one line beside the columns of a task, in 80
STYLES = {"better": "green", "worse": "red", "no significant difference": "dim", "no verdict": "yellow"}
OF_TASKS = (
    "Of many tasks the mean is compared first. A single task has a verdict only where the mean of its method differs: "
    "of those called better or worse at most 5 % are expected to be chance (Benjamini, Hochberg). All are in tasks.csv."
)
WORDS = {"no significant difference": "not significant"}  # what a column has room for


def every_table(summary: Summary) -> Iterator[Table]:
    """A table of each task, of the comparisons with tuned weights, of all tasks, of costs, and at equal wall-clock."""
    yield from (_task_table(summary, metric) for metric in summary.shown)
    if summary.spreads:
        yield spread_table(summary)
    if not summary.question and any(TUNED in score.to for row in summary.rows for score in row.primary.values()):
        yield _tuned_table(summary)
    if any(row.against or row.skills or row.mean_rank for row in summary.rows):
        yield _overall_table(summary)
    if any(row.cost for row in summary.rows):
        yield _cost_table(summary)
    if summary.equal_time and summary.unequal:
        yield _equal_time_table(summary, summary.equal_time)


def plain_table(summary: Summary, title: str, *columns: str | Text) -> Table:
    """Without lines, its first column as wide as the names of the methods."""
    names = max(len(line) for row in summary.rows for line in row_name(row.arm).plain.splitlines())
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, column in enumerate(columns):
        whole = place < len(columns) - 1 if place else names <= NAME + 1
        table.add_column(column, overflow="fold", header_style="underline", no_wrap=whole)
    return table


def row_name(arm: StudyArm) -> Text:
    """The name of a row; a long one of losses has a new line where another loss or argument begins."""
    lines = [""]
    for part in re.findall(r":?[^+:]+\+?", str(arm)) if arm.losses else [str(arm)]:
        if lines[-1] and len(lines[-1]) + len(part) > NAME:
            lines.append(" ")
        lines[-1] += part
    return Text("\n".join(lines))


def baseline_name(name: str) -> Text:
    """The name of a row of scikit-learn, in two lines."""
    return Text(name.replace(" (", "\n("), style="dim")


def _task_table(summary: Summary, metric: TaskMetric) -> Table:
    direction = "higher" if metric.higher_is_better else "lower"
    shown = {row.method: shown_comparison(row.score(metric.task), summary) for row in summary.rows}
    others = {other for other, comparison in shown.values() if comparison is not None}
    several = len(others) > 1
    table = plain_table(
        summary,
        f"\n{metric.task}: {metric.name}, {direction} is better",
        "method",
        "mean ± sd",
        "difference, 95 %" if several else f"difference to {''.join(others) or summary.baselines.reference}, 95 %",
        *(["to"] if several else []),
        "verdict",
    )
    for row in summary.rows:
        score = row.score(metric.task)
        spread = f" ± {show(score.spread)}" if score.spread == score.spread else ""
        other, comparison = shown[row.method]
        cells = [_difference(comparison), *([Text(other)] if several else []), _verdict(comparison)]
        table.add_row(row_name(row.arm), f"{show(score.mean)}{spread}", *cells)
    for name, scores in summary.baseline_scores.items():
        if metric.task in scores:
            table.add_row(baseline_name(name), Text(show(scores[metric.task]), style="dim"))
    return table


def shown_comparison(score: Score, summary: Summary) -> tuple[str, Comparison | None]:
    """The other and the comparison of a row: the one that the question is about, else that with the reference."""
    if summary.question:
        return next(iter(score.to.items()), ("", None))
    return summary.baselines.reference, score.to_sum


def _tuned_table(summary: Summary) -> Table:
    title = "\nagainst tuned fixed weights: differences, and verdicts where significant"
    table = plain_table(summary, title, "method", *_names(summary))
    for row in summary.rows:
        found = [row.score(task).to.get(TUNED) for task in _names(summary)]
        if any(found):
            table.add_row(row_name(row.arm), *map(_short, found))
    return table


def _names(summary: Summary) -> list[str]:
    return [metric.task for metric in summary.shown]


def spread_table(summary: Summary) -> Table:
    """Of many tasks: how the differences of each method are spread over them."""
    metric = summary.shown[0]
    title = f"\ndifferences in {metric.name} over the tasks, above 0 is better; tasks (significant)"
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("method", "to", "10 %", "median", "90 %", "better", "worse", "best", "worst"):
        table.add_column(column, overflow="fold", header_style="underline")
    for one in summary.spreads:
        table.add_row(
            one.method,
            one.other,
            *(signed(gain, "{:.2g}".format) for gain in one.quantiles),
            *(f"{tasks} ({sure})" for tasks, sure in zip((one.better, one.worse), one.verdicts, strict=True)),
            *(f"{task}\n{signed(gain)}" for task, gain in (one.best, one.worst)),
        )
    return table


def _short(comparison: Comparison | None) -> Text:
    if comparison is None:
        return Text("")
    word = "" if comparison.verdict == "no significant difference" else f" {comparison.verdict}"
    return Text(f"{signed(comparison.interval.mean)}{word}", style=STYLES[comparison.verdict])


def _difference(comparison: Comparison | None) -> Text:
    return Text("") if comparison is None else Text(with_interval(comparison.interval))


def _verdict(comparison: Comparison | None) -> Text:
    if comparison is None:
        return Text("")
    if isnan(comparison.interval.p_value):  # one seed, or differences without spread
        return Text("not tested", style="dim")
    return Text(WORDS.get(comparison.verdict, comparison.verdict), style=STYLES[comparison.verdict])


def _overall_table(summary: Summary) -> Table:
    def of_against(cell: Callable[[Against], str]) -> Callable[[Row], str]:
        return lambda row: "" if row.against is None else cell(row.against)

    columns: Mapping[str, Callable[[Row], str]] = {
        "Δm in %, 95 %": of_against(lambda one: with_interval(one.delta_m, "{:+.2f}".format)),
        "rank": lambda row: "" if row.mean_rank is None else f"{row.mean_rank:.2f}",
        "wins": of_against(lambda one: f"{one.wins}/{sum(map(summary.baselines.has, summary.tasks))}"),
        "ratio": of_against(lambda one: "" if one.ratio is None else f"{one.ratio:.3f}"),
        "skill": lambda row: "" if row.skills is None else f"{row.skills.average:.3f}",
        "worst change": of_against(lambda one: f"{one.worst[1]:+.1f} % {one.worst[0]}"),
    }
    return _table_of(summary, "all tasks", columns)


def _cost_table(summary: Summary) -> Table:
    def of_cost(cell: Callable[[MethodCost], str]) -> Callable[[Row], str]:
        return lambda row: "" if row.cost is None else cell(row.cost)

    columns: Mapping[str, Callable[[Row], str]] = {
        "ms per step": lambda row: "" if row.seconds_per_step is None else f"{1000 * row.seconds_per_step:.2f}",
        "to sum": lambda row: "" if row.cost_ratio is None else f"x{row.cost_ratio:.2f}",
        "backwards": of_cost(lambda cost: f"{cost.backwards_per_step:g}"),
        "peak MB": of_cost(lambda cost: f"{cost.peak_memory_mb:.0f}"),
        "skipped": of_cost(lambda cost: str(cost.skipped_steps)),
        "unsolved": of_cost(lambda cost: str(cost.unsolved_steps)),
    }
    return _table_of(summary, "costs", columns)


def _table_of(summary: Summary, title: str, columns: Mapping[str, Callable[[Row], str]]) -> Table:
    """A row for each method; what makes the methods unequal stands in the title."""
    unequal = f" (unequal: {'; '.join(summary.unequal)})" if summary.unequal else ""
    table = plain_table(summary, f"\n{title}{unequal}", "method", *columns)
    for row in summary.rows:
        table.add_row(row_name(row.arm), *(Text(cell(row)) for cell in columns.values()))
    return table


def _equal_time_table(summary: Summary, reached: EqualTime) -> Table:
    title = f"\nat equal wall-clock: validation after {reached.seconds:.3g} s, when {reached.cheapest} is done"
    table = plain_table(summary, title, "method", "epochs", *summary.tasks)
    arms = {row.method: row.arm for row in summary.rows}
    for row in reached.rows:
        cells = []
        for task in summary.tasks:
            interval = row.to_sum[task]
            cells.append(f"{show(row.values[task])}{f' ({signed(interval.mean)})' if interval else ''}")
        table.add_row(row_name(arms[row.method]), f"{row.epochs:.1f}", *cells)
    return table


def long_legend(summary: Summary) -> list[str]:
    """What the columns mean, as far as they have any content."""
    lines, alone = [""], summary.baselines.single_task
    if summary.tested:
        family = all_of(summary.tested, "comparison")
        at = f"at {100 * summary.level:.2g} %" if summary.level else "left open"
        lines.append(
            f"Differences are paired by seed: intervals by Student's t, each by itself; verdicts {at} for {family} "
            "of the study together (Holm), if differences are roughly symmetric."
        )
    if summary.means:
        lines.append(OF_TASKS)
    if any(row.against for row in summary.rows):
        lines.append(
            f"{FORMULA}; baseline: {alone} networks; lower is better. Δp = -Δm. Wins: tasks with a "
            f"better mean than that. Worst change: the largest term of Δm. {RATIO_FORMULA}; above 1 is better."
        )
    if any(row.skills for row in summary.rows):
        lines.append("Skill: mean over the tasks, 0 for a constant prediction, 1 for a perfect one.")
    if any(row.mean_rank for row in summary.rows):
        lines.append("Rank: mean among the methods, over the tasks, 1 is best.")
    if summary.ranks and not summary.ranks.differs:
        lines.append(
            f"Ranks by seed: no significant difference (Friedman, p = {summary.ranks.p_value:.2g} alone, before Holm)."
        )
    if summary.row(alone):
        lines.append(f"A step of {alone} is one step of each of its networks.")
    return lines
