"""What a table found beside its verdict: means, ranks, single-task networks, tuned weights, and how sure it is."""

from collections.abc import Sequence
from math import isnan

from equipoise.lab.evaluation.answers import beats_tuned, findings, give_answer
from equipoise.lab.evaluation.metric import TUNED, TaskMetric
from equipoise.lab.evaluation.numbers import listing, percent
from equipoise.lab.evaluation.precision import give_precision
from equipoise.lab.evaluation.table import Compared, ComparisonTable, Row

MOST_NAMED = 3  # tasks, where something holds for all


def details_of(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> tuple[str, ...]:
    """Sentences that stand below the table; those without content are left out."""
    missing = [f"{lacking}: no verdict in its favour." for lacking in table.incomplete.values()]
    precision = give_precision(table, metrics)
    if table.question:
        return tuple(filter(None, (give_answer(table, metrics), *missing, precision)))
    tuned = f"Against tuned fixed weights: {beats_tuned(table, metrics)}" if table.row(TUNED) else ""
    found = (*_to_sum(table, metrics), tuned, _ranks(table), _sharing(table, metrics), *missing, precision)
    return tuple(filter(None, (*found, _alone(table, metrics))))


def _to_sum(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> list[str]:
    """With both means, every significant difference to the reference; how many others there are."""
    compared = table.compared
    clauses = findings(compared, metrics, table.baselines.spoken)
    rest = sum(comparison.verdict == "no significant difference" for _, _, comparison in compared)
    tail = f"The other {rest} of {len(compared)} comparisons show no significant difference." if rest > 1 else ""
    tail = "The one other comparison shows no significant difference." if rest == 1 else tail
    told = [f"{'; '.join(clauses)}.", tail] if clauses else []
    return [*told, _nearly(compared, table)]


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


def _nearly(compared: Compared, table: ComparisonTable) -> str:
    """What would be significant if it were the only comparison, so that nobody is puzzled by its interval."""
    alone = [
        f"{method} on {task}"
        for method, task, comparison in compared
        if comparison.verdict == "no significant difference" and comparison.interval.p_value < table.level
    ]
    many = f"not among {table.tested} comparisons"
    return f"Taken alone {listing(alone)} would be significant, but {many}." if alone else ""


def _base(table: ComparisonTable) -> Row | None:
    """The shared network that stands for sharing: the reference, else the first method."""
    baselines, rows = table.baselines, table.rows
    return table.row(baselines.reference) or next((r for r in rows if r.method != baselines.single_task), None)


def _sharing(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """Whether sharing helps; nothing for one task, which shares nothing."""
    base, baselines = _base(table), table.baselines
    if len(metrics) == 1:
        return ""
    if base is None:
        return "No network with several tasks was trained."
    if table.row(baselines.single_task) is None:
        return "No single-task networks were trained, so it is not known whether sharing a network helps."
    by_verdict: dict[str, list[str]] = {}
    for metric in metrics:
        if comparison := base.scores[metric.task].to_single_task:
            tested = not isnan(comparison.interval.p_value)
            by_verdict.setdefault(comparison.verdict if tested else "not tested", []).append(metric.task)
    if not by_verdict:
        return "No single-task network shares a seed with the others, so whether sharing helps is not known."
    parts = [
        f"significantly {word} on {listing(by_verdict[word])}" for word in ("better", "worse") if word in by_verdict
    ]
    for word in ("no significant difference", "no verdict", "not tested"):
        if word in by_verdict:
            every = len(by_verdict[word]) == len(metrics) > MOST_NAMED
            parts.append(f"{word} on {'any task' if every else listing(by_verdict[word])}")
    name = baselines.spoken if base.method == baselines.reference else base.method
    middle = f"One shared network ({name}) against single-task networks: {', '.join(parts)}"
    return f"{middle}{f'; Δm {percent(base.delta_m)}, lower is better' if base.delta_m else ''}."


def _alone(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    base = _base(table)
    worse = [
        metric.task
        for metric in metrics
        if base and (found := base.scores[metric.task].to_single_task) and found.verdict == "worse"
    ]
    if not worse or len(metrics) == 1:
        return ""
    matter = "matters most, train it alone" if len(worse) == 1 else "matter most, train each alone"
    return f"Where {listing(worse)} {matter}: the shared network is significantly worse there."
