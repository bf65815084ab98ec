"""A study's verdict and table, as a terminal of 80 columns shows them."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from math import nan

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segments
from rich.text import Text

from equipoise.lab.evaluation import Summary, TaskMetric, all_of, show, signed
from equipoise.lab.evaluation.advice import Voice
from equipoise.lab.reports.terminal_tables import (
    OF_TASKS,
    STYLES,
    baseline_name,
    every_table,
    long_legend,
    plain_table,
    row_name,
    shown_comparison,
    spread_table,
)

MOST_LINES = 40  # below the verdict
GAP = 2  # between columns
WIDTH = 120  # characters of what is printed as text


def print_summary(console: Console, summary: Summary, *, verbose: bool = False) -> None:
    """Print the verdict, the advice and the table.

    Args:
        console: Where.
        summary: Of the study.
        verbose: Print every table and note, and not 40 lines of them at most.
    """
    for part in _verdict_parts(summary, "command line"):
        console.print(part)
    lines = console.render_lines(Group(*_parts(summary, console.width, verbose=verbose)), pad=False, new_lines=True)
    shown = lines if verbose or len(lines) <= MOST_LINES else lines[: MOST_LINES - 1]
    for line in shown:
        console.print(Segments(line), end="")
    if len(shown) < len(lines):
        console.print(Text(f"{len(lines) - len(shown)} more lines with --verbose, and in the report.", style="dim"))


@dataclass(frozen=True)
class SummaryView:
    """What ``print_summary`` prints, to be printed by rich, without a limit."""

    summary: Summary

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        yield from _verdict_parts(self.summary, "python")
        yield from _parts(self.summary, options.max_width, verbose=False)


def _verdict_parts(summary: Summary, voice: Voice) -> Iterator[RenderableType]:
    yield ""
    yield Text(summary.title, style="bold")
    for caution in summary.cautions:
        yield Text(caution, style="bold yellow")
    yield Text(summary.headline, style="bold")
    yield Text(summary.advice.text(voice), style="bold")


def _parts(summary: Summary, width: int, *, verbose: bool) -> Iterator[RenderableType]:
    """The tables, and below them what is unequal, what else was found and what is left out."""
    if not verbose:
        yield from _blocks(summary, width)
    else:
        yield from every_table(summary)
    yield ""
    unequal = [f"Unequal: {'; '.join(summary.unequal)}."] if summary.unequal else []
    legend = long_legend(summary) if verbose else _short_legend(summary)
    for line in (*legend, *unequal, *summary.details, *(f"Note: {note}" for note in summary.notes)):
        yield Text(line, style="dim")


def _blocks(summary: Summary, width: int) -> Iterator[RenderableType]:
    """One table of all tasks, in as many blocks as the width makes necessary."""
    columns = [_task_column(summary, metric) for metric in summary.shown]
    columns += filter(None, (_delta_column(summary), _time_column(summary)))
    names = [*(row_name(row.arm) for row in summary.rows), *map(baseline_name, summary.shown_baselines)]
    first = max(6, *(cell_len(line) for name in names for line in name.plain.splitlines()))
    blocks: list[list[list[Text]]] = []
    room = 0
    for column in columns:
        needed = GAP + max(cell_len(line) for cell in column for line in cell.plain.splitlines() or [""])
        if needed > room:
            blocks.append([])
            room = width - first
        blocks[-1].append(column)
        room -= needed
    for block in blocks:
        table = plain_table(summary, "", Text("method"), *(column[0] for column in block))
        for place, name in enumerate(names, 1):
            table.add_row(name, *(column[place] for column in block))
        yield table
    if summary.spreads:
        yield spread_table(summary)


def _task_column(summary: Summary, metric: TaskMetric) -> list[Text]:
    """Head and cells: mean, difference, half its interval, and the verdict if there is one."""
    cells = [Text(f"{metric.task}\n{metric.name} {'↑' if metric.higher_is_better else '↓'}")]
    scores = [row.score(metric.task) for row in summary.rows]
    beside = [of.get(metric.task, nan) for of in summary.shown_baselines.values()]
    wide = max(len(show(value)) for value in (*(score.mean for score in scores), *beside))
    for score in scores:
        _, one = shown_comparison(score, summary)
        cell = Text(f"{show(score.mean):<{wide}}")
        if one is not None:
            known = one.interval.low == one.interval.low
            half = f" ±{show(one.interval.half_width)}" if known else ""
            word = one.verdict if one.verdict in ("better", "worse", "no verdict") else ""
            cell.append(f" {signed(one.interval.mean)}{half}")
            cell.append(f" {word}" if word else "", style=STYLES[one.verdict])
        cells.append(cell)
    return [*cells, *(Text(show(value), style="dim") for value in beside)]


def _delta_column(summary: Summary) -> list[Text] | None:
    if not any(row.delta_m for row in summary.rows):
        return None
    cells = [Text(f"{row.delta_m.mean:+.2f}" if row.delta_m else "") for row in summary.rows]
    return [Text("Δm\nin %"), *cells, *(Text("") for _ in summary.shown_baselines)]


def _time_column(summary: Summary) -> list[Text] | None:
    if not any(row.cost_ratio for row in summary.rows):
        return None
    cells = [Text(f"x{row.cost_ratio:.2f}" if row.cost_ratio else "") for row in summary.rows]
    return [Text("time\nto sum"), *cells, *(Text("") for _ in summary.shown_baselines)]


def _short_legend(summary: Summary) -> list[str]:
    other = "what each is compared with" if summary.question else summary.baselines.reference
    tested = f"verdicts at {100 * summary.level:.2g} % for {all_of(summary.tested, 'comparison')} of the study (Holm)"
    lines = (
        [f"Mean, difference to {other} ± half its 95 % interval, paired by seed; {tested}."] if summary.tested else []
    )
    if summary.means:
        lines.append(OF_TASKS)
    if any(row.delta_m for row in summary.rows):
        lines.append("Δm: mean relative change against single-task networks, lower is better.")
    return lines


def text_of(shown: RenderableType) -> str:
    """What rich shows, as the lines of a terminal of ``WIDTH`` characters, without styles."""
    file = io.StringIO()
    Console(file=file, width=WIDTH, highlight=False).print(shown, crop=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())
