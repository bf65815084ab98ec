"""The page's tables over all tasks: aggregates, troubles, and the study at equal wall-clock."""

from collections.abc import Mapping
from html import escape
from math import isnan

from equipoise.lab.evaluation import RATIO_FORMULA, Interval, Row, Summary, show
from equipoise.lab.reports.cells import NOTHING, cell, data, name, row, table
from equipoise.lab.reports.palette import Look

WORDS = (
    *("Mean rank", "Δp in %", "Median Δm in %", "Wins", "Geometric mean ratio", "Worst change in %"),
    *("Mean skill", "Worst skill", "Aggregated score", "Backward passes per step", "Peak memory in MB"),
    *("Steps skipped (not finite)", "Steps unsolved"),
)


def over_tasks(summary: Summary, look: Mapping[str, Look]) -> str:
    """Several numbers over all tasks, because each is only a proxy, with what went wrong beside them."""
    head = ['<th class="left">Method</th>', *(f"<th>{words}</th>" for words in WORDS)]
    note = (
        "Δp = -Δm, above zero is better. Wins are the tasks with a better mean than single-task. "
        f"{RATIO_FORMULA}; above 1 is better. Worst change is the largest term of Δm. Skill is 0 for a constant "
        "prediction, 1 for a perfect one; the aggregated score is the geometric mean of skills. None is tested."
    )
    body = [_row(each, len(summary.tasks), look) for each in summary.rows]
    return (
        f'<h3>Over all tasks</h3><p class="note">{escape(note)}</p>'
        f"{table('Over all tasks', (row(*head),), body)}{_equal_time(summary, look)}"
    )


def _row(each: Row, tasks: int, look: Mapping[str, Look]) -> str:
    one, skill, cost = each.against, each.skills, each.cost
    against = [
        cell(one.delta_p if one else None, "+.2f"),
        cell(one.median_delta_m if one else None, "+.2f"),
        cell(one.wins if one else None, "d", f" of {tasks}" if one else ""),
        cell(one.ratio if one else None, ".4f"),
        _named(one.worst if one else None, "+.2f"),
    ]
    return row(
        name(each.method, look[each.method]),
        cell(each.mean_rank, ".2f"),
        *against,
        cell(skill.average if skill else None, ".3f"),
        _named(skill.worst if skill else None, ".3f"),
        cell(skill.score if skill else None, ".3f"),
        cell(cost.backwards_per_step if cost else None, ".3g"),
        cell(cost.peak_memory_mb if cost else None, ".4g"),
        cell(cost.skipped_steps if cost else None, "d"),
        cell(cost.unsolved_steps if cost else None, "d"),
    )


def _named(worst: tuple[str, float] | None, form: str) -> str:
    return cell(None, form) if worst is None else cell(worst[1], form, f"<small>{escape(worst[0])}</small>")


def _equal_time(summary: Summary, look: Mapping[str, Look]) -> str:
    reached = summary.equal_time
    if reached is None:
        return ""
    head = ['<th class="left">Method</th>', "<th>Epochs until then</th>"]
    head += [f"<th>{escape(m.task)}<small>{escape(m.name)}, validation</small></th>" for m in summary.metrics]
    body = [
        row(
            name(each.method, look[each.method]),
            cell(each.epochs, ".3g"),
            *(f"<td>{_value(each.values[task])}{_difference(each.to_sum[task])}</td>" for task in summary.tasks),
        )
        for each in reached.rows
        if each.method in look
    ]
    note = (
        f"What each method had reached after {reached.seconds:.3g} s of training, when {reached.cheapest} was done: "
        "the best epoch so far on the validation split, and its difference to sum with the 95 % interval by itself. "
        "Nothing here is tested, and the test split is not read for it."
    )
    caption = "At equal wall-clock"
    return f'<h3>{caption}</h3><p class="note">{escape(note)}</p>{table(caption, (row(*head),), body)}'


def _value(value: float) -> str:
    return data(value, show(value))


def _difference(interval: Interval | None) -> str:
    if interval is None:
        return ""
    ends = "" if isnan(interval.low) else f" [{_signed(interval.low)}, {_signed(interval.high)}]"
    return f"<small>{_signed(interval.mean)}{ends}</small>"


def _signed(value: float) -> str:
    return NOTHING if isnan(value) else data(value, f"{'+' if value >= 0 else '-'}{show(abs(value))}")
