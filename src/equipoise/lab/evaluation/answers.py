"""The answer to a study's question in plain words; that nothing differs significantly is an answer."""

from collections.abc import Callable, Mapping, Sequence

from equipoise.lab.evaluation.metric import REFERENCE, SINGLE_TASK, TUNED, TaskMetric
from equipoise.lab.evaluation.numbers import counted, listing, percent, show
from equipoise.lab.evaluation.pairs import Question
from equipoise.lab.evaluation.table import Compared, ComparisonTable, Row


def give_answer(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """The question and its answer."""
    return _ANSWERS[table.question](table, metrics)


def findings(compared: Compared, metrics: Sequence[TaskMetric], other: str) -> list[str]:
    """A clause for each method and direction in which it differs significantly from the other, with both means."""
    found = []
    for method in dict.fromkeys(method for method, _, _ in compared):
        for word in ("better", "worse"):
            parts = [
                f"{metric.task} ({metric.name} {show(comparison.mean)} against {show(comparison.other)})"
                for metric in metrics
                for name, task, comparison in compared
                if name == method and task == metric.task and comparison.verdict == word
            ]
            if parts:
                found.append(f"{method} is significantly {word} than {other} on {listing(parts)}")
    return found


def by_verdict(compared: Compared, metrics: Sequence[TaskMetric]) -> list[str]:
    """``significantly better on a and b``, ``no significant difference on d``, as far as there are such tasks."""
    tasks: dict[str, list[str]] = {}
    for metric in metrics:
        for _, task, comparison in compared:
            if task == metric.task:
                tasks.setdefault(comparison.verdict, []).append(task)
    order = {"better": "significantly better", "worse": "significantly worse"}
    order |= {word: word for word in ("no significant difference", "no verdict")}
    return [f"{words} on {listing(tasks[word])}" for word, words in order.items() if word in tasks]


def _sharing(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    asked = "Does sharing one network help?"
    compared = [one for one in table.compared_with(SINGLE_TASK) if one[0] == REFERENCE]
    if why := _unknown(compared, "the plain sum and single-task networks"):
        return f"{asked} {why}"
    words = {comparison.verdict for _, _, comparison in compared}
    if words == {"no significant difference"}:
        short = "No significant difference to single-task networks on any task"
    elif "better" in words:
        short = (
            "It helps on some tasks and harms others" if "worse" in words else "Yes, where a difference is significant"
        )
    elif "worse" in words:
        short = "No, where a difference is significant"
    else:
        short = "No verdict"
    row = next(row for row in table.rows if row.method == REFERENCE)
    change = f"; Δm {percent(row.delta_m)}, lower is better" if row.delta_m else ""
    return f"{asked} {short}: the plain sum is {', '.join(by_verdict(compared, metrics))}{change}."


def _tuned(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    return f"Does any method beat tuned fixed weights? {beats_tuned(table, metrics)}"


def beats_tuned(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """Yes, no or not known, and on which tasks; then what other losses do, which are no balancing methods.

    The plain sum and frozen weights are fixed weights, no balancing methods either.
    """
    if table.tuned_is_sum:
        return "Equal weights were the best of the search: the results of the plain sum are theirs."
    compared = table.compared_with(TUNED)
    with_losses = {row.method for row in table.rows if row.arm.losses}
    rows = [one for one in compared if one[0] in with_losses]
    methods = [one for one in compared if one[0] not in with_losses]
    told = findings(rows, metrics, "tuned weights")
    beside = f" With another loss: {'; '.join(told)}." if told else ""
    if rows and not methods:
        return f"Not known: no method was trained.{beside}"
    return f"{_methods(methods, metrics, table)}{beside}"


def _methods(compared: Compared, metrics: Sequence[TaskMetric], table: ComparisonTable) -> str:
    if why := _unknown(compared, f"{TUNED} and another method"):
        return why
    methods = list(dict.fromkeys(method for method, _, _ in compared))
    told = findings(compared, metrics, "tuned weights")
    if not told:
        who = f"{methods[0]} is not" if len(methods) == 1 else f"none of the {len(methods)} is"
        return f"No significant difference: {who} significantly different from tuned weights on any task."
    better = {method for method, _, comparison in compared if comparison.verdict == "better"}
    worse = {method for method, _, comparison in compared if comparison.verdict == "worse"}
    fixed = {row.method for row in table.rows if row.arm.has_fixed_weights}
    return f"{_short(better - fixed, worse)}: {'; '.join(told)}.{_rest(compared)}"


def _short(better: set[str], worse: set[str]) -> str:
    return "No" if not better else "Yes" if better - worse else "On some tasks, and it loses on others"


def _rest(compared: Compared) -> str:
    rest = sum(comparison.verdict == "no significant difference" for _, _, comparison in compared)
    show = "shows" if rest == 1 else "show"
    return f" {rest} of {counted(len(compared), 'comparison')} {show} no significant difference." if rest else ""


def _losses(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    asked = "Does another loss do better than the case's own?"
    compared = table.compared_with(REFERENCE)
    if why := _unknown(compared, "the plain sum with the case's own losses and with another"):
        return f"{asked} {why}"
    methods = list(dict.fromkeys(method for method, _, _ in compared))
    told = findings(compared, metrics, "the case's own")
    if not told:
        who = f"{methods[0]} is not" if len(methods) == 1 else f"none of the {len(methods)} is"
        differ = f"{who} significantly different from the case's own on any task"
        return f"{asked} No significant difference: {differ}."
    better, worse = (
        {(method, task) for method, task, comparison in compared if comparison.verdict == word}
        for word in ("better", "worse")
    )
    gained = {row.method for row in table.rows for task in row.arm.losses if (row.method, task) in better}
    short = _short(gained, {method for method, _ in worse})
    if better and not gained:
        short = "Only on tasks whose loss it does not change, which is a matter of balance"
    return f"{asked} {short}: {'; '.join(told)}.{_rest(compared)}"


def _freeze(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    asked = "Does the schedule of the weights matter, or only where it ends?"
    parts = []
    for row in table.rows:
        if row.arm.source is None:
            continue
        source = str(row.arm.source)
        compared = [(row.method, task, score.to[source]) for task, score in row.scores.items() if source in score.to]
        parts.append(_frozen(row, source, compared, metrics))
    return f"{asked} {' '.join(parts) or 'Not known: no frozen weights were trained.'}"


def _frozen(row: Row, source: str, compared: Compared, metrics: Sequence[TaskMetric]) -> str:
    if why := _unknown(compared, f"{row.method} and {source}"):
        return f"{source}: {why}"
    words = {comparison.verdict for _, _, comparison in compared}
    if words == {"no significant difference"}:
        return (
            f"{source}: no significant difference on any task; its last weights, fixed from the start, do as well, as "
            "far as can be told."
        )
    verdicts = ", ".join(by_verdict(compared, metrics))
    meaning = {
        frozenset({"better"}): "its last weights serve better from the start",
        frozenset({"worse"}): "how it got there matters",
    }.get(frozenset(words - {"no significant difference", "no verdict"}), "it depends on the task")
    return f"{source}: {meaning}; fixed at its last weights: {verdicts}."


def _unknown(compared: Compared, who: str) -> str:
    """Why there is no answer, if so."""
    if not compared:
        return f"Not known: no seed has a finished run of {who}."
    if all(comparison.interval.n < 2 for _, _, comparison in compared):
        return "Not known: with one seed a difference may be chance; train at least 3, better 5."
    return ""


_ANSWERS: Mapping[Question, Callable[[ComparisonTable, Sequence[TaskMetric]], str]] = {
    "sharing": _sharing,
    "tuned": _tuned,
    "freeze": _freeze,
    "losses": _losses,
}
