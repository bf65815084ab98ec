"""The sentences below a table: what differs, by how much, the answer to each question, and how sure it is.

That nothing differs significantly is an answer, too.
"""

from collections.abc import Callable, Mapping, Sequence
from math import isnan

from equipoise.lab.evaluation.metric import REFERENCE, TUNED, Question, TaskMetric
from equipoise.lab.evaluation.numbers import counted, listing, percent, show, with_interval
from equipoise.lab.evaluation.precision import precision_sentences, seeds_needed
from equipoise.lab.evaluation.statistics import LEVEL
from equipoise.lab.evaluation.table import Compared, ComparisonTable, Row


def details_of(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> tuple[str, ...]:
    """Sentences that stand below the table; those without content are left out."""
    missing = [f"{lacking}: no verdict in its favour." for lacking in table.incomplete.values()]
    precision = precision_sentences(table, metrics)
    if table.question:
        return tuple(filter(None, (answer(table, metrics, table.question), *missing, precision)))
    tuned = answer(table, metrics, "tuned") if table.row(TUNED) else ""
    sharing = answer(table, metrics, "sharing") if len(metrics) > 1 else ""  # one task shares nothing
    found = (*_to_reference(table, metrics), tuned, _ranks(table), sharing, *missing, precision)
    return tuple(filter(None, found))


def answer(table: ComparisonTable, metrics: Sequence[TaskMetric], question: Question) -> str:
    """A question and its answer."""
    asked, give = _ANSWERS[question]
    return f"{asked} {give(table, metrics)}"


def _to_reference(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> list[str]:
    """With both means, every significant difference to the reference; how many others there are."""
    clauses = _differences(table.compared, metrics, table.baselines.spoken)
    told = [f"{'; '.join(clauses)}.", _rest(table.compared)] if clauses else []
    return [*told, _nearly(table, metrics)]


def _nearly(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """What would be significant if it were the only comparison, so that nobody is puzzled by its interval.

    Of m comparisons without any true difference, one or more has a p-value of at most p in at most m p of studies,
    however they depend on each other.
    """
    found = [
        one
        for one in table.compared
        if one[2].verdict == "no significant difference" and one[2].interval.p_value < table.level
    ]
    if not found:
        return ""
    method, task, nearest = min(found, key=lambda one: one[2].interval.p_value)
    metric = next(metric.name for metric in metrics if metric.task == task)
    others = [f"{name} on {where}" for name, where, one in found if one is not nearest]
    likewise = f", and so would {listing(others)}" if others else ""
    by_chance = min(1.0, table.tested * nearest.interval.p_value)
    needed = None if table.level != LEVEL else seeds_needed(nearest, table)  # planned looks decide on the number
    more = counted(needed - nearest.interval.n, "more seed") if needed else ""
    settled = f"; about {more} would settle it, in 8 of 10 studies, if the difference is the true one" if more else ""
    return (
        f"Taken alone {method} on {task} would be significant ({metric} {with_interval(nearest.interval)}){likewise}; "
        f"among {counted(table.tested, 'comparison')} chance alone does this in up to {100 * by_chance:.0f} % of "
        f"studies, so it is no finding yet{settled}."
    )


def _ranks(table: ComparisonTable) -> str:
    """Which methods differ by their ranks over the seeds; nothing where Friedman's test finds nothing."""
    ranks = table.ranks
    if ranks is None or not ranks.differs:
        return ""
    order = sorted(zip(ranks.mean_ranks, ranks.names, strict=True))
    ahead = [
        f"{name} is ahead of {listing(behind)}"
        for rank, name in order
        if (behind := [other for below, other in order if below - rank >= ranks.critical_difference])
    ]
    return f"By rank over the seeds {'; '.join(ahead)}." if ahead else ""


def _sharing(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """Of the reference; where there is none, of the first method."""
    baselines = table.baselines
    base = table.row(baselines.reference) or next((r for r in table.rows if r.method != baselines.single_task), None)
    if base is None:
        return "Not known: no network with several tasks was trained."
    if table.row(baselines.single_task) is None:
        return "Not known: no single-task networks were trained."
    name = baselines.spoken if base.method == baselines.reference else base.method
    compared = [one for one in table.compared_with(baselines.single_task) if one[0] == base.method]
    if why := _unknown(compared, f"{name} and single-task networks"):
        return why
    words = {comparison.verdict for _, _, comparison in compared}
    change = f"; Δm {percent(base.delta_m)}, lower is better" if base.delta_m else ""
    if words == {"no significant difference"}:
        return f"No significant difference to single-task networks on any task{change}."
    told = ", ".join(_by_verdict(compared, metrics))
    worse = [task for _, task, comparison in compared if comparison.verdict == "worse"]
    if "better" not in words and not worse:
        return f"{told[0].upper()}{told[1:]}{change}."
    short = "It helps on some tasks and harms others" if worse else "Yes, where a difference is significant"
    if "better" not in words:
        short = "No, where a difference is significant"
    matter = "matters most, train it" if len(worse) == 1 else "matter most, train each"
    alone = f"; where {listing(worse)} {matter} alone" if worse and len(metrics) > 1 else ""
    return f"{short}: {name} is {told}{alone}{change}."


def _beats_tuned(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """Yes, no or not known, and on which tasks; then what other losses do, which are no balancing methods.

    The plain sum and frozen weights are fixed weights, no balancing methods either.
    """
    if table.tuned_is_sum:
        return "Equal weights were the best of the search: the results of the plain sum are theirs."
    with_losses = {row.method for row in table.rows if row.arm.losses}
    compared = table.compared_with(TUNED)
    rows, methods = ([one for one in compared if (one[0] in with_losses) == of_losses] for of_losses in (True, False))
    told = _differences(rows, metrics, "tuned weights")
    beside = f" With another loss: {'; '.join(told)}." if told else ""
    if rows and not methods:
        return f"Not known: no method was trained.{beside}"
    fixed = {row.method for row in table.rows if row.arm.has_fixed_weights}
    found = _answer(methods, metrics, f"{TUNED} and another method", "tuned weights", lambda wins: set(wins) - fixed)
    return f"{found}{beside}"


def _losses(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    compared = table.compared_with(REFERENCE)
    changed = {(row.method, task) for row in table.rows for task in row.arm.losses}
    better = {(method, task) for method, task, comparison in compared if comparison.verdict == "better"}
    gained = {method for method, task in better & changed}
    who = "the plain sum with the case's own losses and with another"
    elsewhere = "Only on tasks whose loss it does not change, which is a matter of balance"
    return _answer(compared, metrics, who, "the case's own", lambda _: gained, elsewhere if better else "No")


def _freeze(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    parts = []
    for row in table.rows:
        if row.arm.source is not None:
            source = str(row.arm.source)
            compared = [one for one in table.compared_with(source) if one[0] == row.method]
            parts.append(f"{source}: {_frozen(row, source, compared, metrics)}")
    return " ".join(parts) or "Not known: no frozen weights were trained."


def _frozen(row: Row, source: str, compared: Compared, metrics: Sequence[TaskMetric]) -> str:
    if why := _unknown(compared, f"{row.method} and {source}"):
        return why
    words = {comparison.verdict for _, _, comparison in compared}
    if words == {"no significant difference"}:
        return (
            "no significant difference on any task; its last weights, fixed from the start, do as well, as "
            "far as can be told."
        )
    meaning = {
        frozenset({"better"}): "its last weights serve better from the start",
        frozenset({"worse"}): "how it got there matters",
    }.get(frozenset(words - {"no significant difference", "no verdict"}), "it depends on the task")
    return f"{meaning}; fixed at its last weights: {', '.join(_by_verdict(compared, metrics))}."


def _answer(
    compared: Compared,
    metrics: Sequence[TaskMetric],
    who: str,
    other: str,
    counts: Callable[[set[str]], set[str]],
    no: str = "No",
) -> str:
    """Yes, no or not known, the differences, and how many comparisons show none.

    Args:
        compared: With one other.
        metrics: Of the tasks.
        who: Both sides, for where they have no run in common.
        other: With what they are compared.
        counts: Which of the methods that are better anywhere make it a yes.
        no: The word where none of them do.
    """
    if why := _unknown(compared, who):
        return why
    methods = list(dict.fromkeys(method for method, _, _ in compared))
    told = _differences(compared, metrics, other)
    if not told:
        who = f"{methods[0]} is not" if len(methods) == 1 else f"none of the {len(methods)} is"
        return f"No significant difference: {who} significantly different from {other} on any task."
    wins = counts({method for method, _, one in compared if one.verdict == "better"})
    losses = {method for method, _, one in compared if one.verdict == "worse"}
    short = no if not wins else "Yes" if wins - losses else "On some tasks, and it loses on others"
    return f"{short}: {'; '.join(told)}. {_rest(compared)}".rstrip()


def _differences(compared: Compared, metrics: Sequence[TaskMetric], other: str) -> list[str]:
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


def _by_verdict(compared: Compared, metrics: Sequence[TaskMetric]) -> list[str]:
    """``significantly better on a and b``, ``no significant difference on d``, as far as there are such tasks."""
    words = {"better": "significantly better", "worse": "significantly worse"}
    words |= {word: word for word in ("no significant difference", "no verdict", "not tested")}
    tasks: dict[str, list[str]] = {}
    for metric in metrics:
        for _, task, comparison in compared:
            if task == metric.task:
                tested = not isnan(comparison.interval.p_value) or comparison.verdict == "no verdict"
                tasks.setdefault(comparison.verdict if tested else "not tested", []).append(task)
    return [f"{told} on {listing(tasks[word])}" for word, told in words.items() if word in tasks]


def _rest(compared: Compared) -> str:
    rest = sum(comparison.verdict == "no significant difference" for _, _, comparison in compared)
    show_none = "shows no significant difference." if rest == 1 else "show no significant difference."
    return f"{rest} of {counted(len(compared), 'comparison')} {show_none}" if rest else ""


def _unknown(compared: Compared, who: str) -> str:
    """Why there is no answer, if so."""
    if not compared:
        return f"Not known: no seed has a finished run of {who}."
    if all(comparison.interval.n < 2 for _, _, comparison in compared):
        return "Not known: with one seed a difference may be chance; train at least 3, better 5."
    return ""


_ANSWERS: Mapping[Question, tuple[str, Callable[[ComparisonTable, Sequence[TaskMetric]], str]]] = {
    "sharing": ("Does sharing one network help?", _sharing),
    "tuned": ("Does any method beat tuned fixed weights?", _beats_tuned),
    "freeze": ("Does the schedule of the weights matter, or only where it ends?", _freeze),
    "losses": ("Does another loss do better than the case's own?", _losses),
}
