"""The page's tables of results."""

import math
from collections.abc import Callable, Mapping
from html import escape

from equipoise.lab.evaluation import (
    FORMULA,
    TUNED,
    Baselines,
    Comparison,
    Interval,
    Row,
    Summary,
    show,
)
from equipoise.lab.reports.cells import NOTHING, cell, data, name, row, table
from equipoise.lab.reports.over_tasks import over_tasks
from equipoise.lab.reports.palette import Look

VERDICTS = {
    "better": '<span class="better">✓ significantly better</span>',
    "worse": '<span class="worse">✗ significantly worse</span>',
    "no significant difference": '<span class="same">≈ no significant difference</span>',
    "no verdict": '<span class="check">no verdict</span>',
}

AGAINST: Mapping[str, tuple[str, Callable[[Row, Baselines], str]]] = {  # the other of a row
    "Against single-task networks": ("Does sharing one network help?", lambda each, baselines: baselines.single_task),
    "Against tuned weights": ("Does any method beat tuned fixed weights?", lambda each, baselines: TUNED),
    "Against the method whose last weights these are": (
        "Does a schedule matter, or where it ends?",
        lambda each, baselines: str(each.arm.source),
    ),
}


def results_section(summary: Summary, look: Mapping[str, Look], below: str = "") -> str:
    """Every method on every task, against the plain sum and whatever else it is compared with; ``below`` is HTML."""
    has_sum = any(score.to_sum for each in summary.rows for score in each.scores.values())
    has_single = any(each.delta_m for each in summary.rows)
    parts = [
        f'<p class="note">{_results_note(summary, has_sum, has_single)}</p>',
        _main_table(summary, look, has_sum=has_sum, has_single=has_single),
        *(_against(summary, look, title) for title in AGAINST),
    ]
    parts += [over_tasks(summary, look), below]
    return f'<section id="results"><h2>Results on the test split</h2>{"".join(parts)}</section>'


def _results_note(summary: Summary, has_sum: bool, has_single: bool) -> str:
    sentences, reference = ["Means over the seeds."], escape(summary.baselines.reference)
    if summary.question:
        where = f"are the differences to {reference}" if has_sum else "stand below"
        sentences.append(
            f"The study asks one question: its {summary.tested} comparisons, paired by seed and Holm-corrected "
            f"together, {where}."
        )
    elif has_sum:
        verdicts = f"verdicts are Holm-corrected for all {summary.tested} comparisons of the study together"
        if not summary.tested:
            verdicts = "none could be tested"
        sentences.append(
            f"Differences are method minus {reference}, paired by seed, with their 95 % interval; {verdicts}."
        )
    else:
        sentences.append(f"No differences to {reference}: no other method shares a finished seed with a run of it.")
    if has_single:
        sentences.append(f"Δm compares with single-task networks, below zero is better: {escape(FORMULA)}.")
    else:
        sentences.append(
            "No Δm: it needs a finished seed of a method with all single-task networks, none of them at zero."
        )
    return " ".join(sentences)


def _main_table(summary: Summary, look: Mapping[str, Look], *, has_sum: bool, has_single: bool) -> str:
    first, second = ['<th rowspan="2" class="left">Method</th>'], []
    reference = summary.baselines.reference
    for metric in summary.metrics:
        direction = "higher is better" if metric.higher_is_better else "lower is better"
        heading = f"{escape(metric.task)}<small>{escape(metric.name)}, {direction}</small>"
        first.append(f'<th class="task first" colspan="{2 if has_sum else 1}">{heading}</th>')
        second.append('<th class="first">Mean</th>')
        if has_sum:
            second.append(f"<th>Difference to {escape(reference)}</th>")
    first += ['<th class="first" rowspan="2">Δm</th>'] if has_single else []
    first += ['<th rowspan="2">Mean rank</th>', '<th rowspan="2">Seconds per step</th>']
    body = []
    for each in summary.rows:
        cells = [name(each.method, look[each.method])]
        for metric in summary.metrics:
            score = each.scores[metric.task]
            cells.append(f'<td class="first">{data(score.mean, show(score.mean))}</td>')
            if has_sum:
                cells.append(comparison_cell(score.to_sum, "reference" if each.method == reference else NOTHING))
        if has_single:
            cells.append(_delta_m(each))
        cells.append(cell(each.mean_rank, ".2f"))
        ratio = "" if each.cost_ratio is None else f"<small>{each.cost_ratio:.2f} &times; {escape(reference)}</small>"
        cells.append(cell(each.seconds_per_step, ".3g", ratio))
        body.append(row(*cells))
    return table("Results", (row(*first), row(*second)), body)


def _against(summary: Summary, look: Mapping[str, Look], title: str) -> str:
    """The methods that are compared with another, by the titles of ``AGAINST``; empty where none is."""
    question, other = AGAINST[title]
    head = ['<th class="left">Method</th>']
    head += [f"<th>{escape(m.task)}<small>{escape(m.name)}, difference</small></th>" for m in summary.metrics]
    body = []
    for each in summary.rows:
        found = [each.scores[task].to.get(other(each, summary.baselines)) for task in summary.tasks]
        if any(found):
            body.append(row(name(each.method, look[each.method]), *(comparison_cell(one, NOTHING) for one in found)))
    if not body:
        return ""
    note = '<p class="note">Verdicts belong to the one family of the study.</p>'
    return f"<h3>{question} {title}</h3>{note}{table(title, (row(*head),), body)}"


def comparison_cell(comparison: Comparison | None, otherwise: str) -> str:
    """A difference with its interval and verdict."""
    if comparison is None:
        return f'<td class="same">{otherwise}</td>'
    interval = comparison.interval
    word = "" if math.isnan(interval.p_value) else f"<small>{VERDICTS[comparison.verdict]}</small>"
    beside = [comparison.missing, comparison.check.words if comparison.check else ""]
    lines = "".join(f'<small class="check">{escape(line)}</small>' for line in beside if line)
    return f"<td>{_interval(interval, _signed)}{word}{lines}</td>"


def _interval(interval: Interval, form: Callable[[float], str]) -> str:
    mean = data(interval.mean, form(interval.mean))
    if math.isnan(interval.low):
        return f"{mean}<small>no interval</small>"
    low, high = data(interval.low, form(interval.low)), data(interval.high, form(interval.high))
    return f"{mean}<small>[{low}, {high}]</small>"


def _delta_m(result: Row) -> str:
    if result.delta_m is None:
        return f'<td class="first same">{NOTHING}</td>'
    return f'<td class="first">{_interval(result.delta_m, lambda value: f"{value:+.2f} %")}</td>'


def _signed(value: float) -> str:
    return f"{'+' if value >= 0 else '-'}{show(abs(value))}"
