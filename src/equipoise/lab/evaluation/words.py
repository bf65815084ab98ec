"""The verdict of a table in plain words, and the advice that follows from it."""

from collections.abc import Iterable, Sequence
from math import inf, isnan

from equipoise.lab.evaluation.answers import beats_tuned, findings, give_answer
from equipoise.lab.evaluation.metric import TUNED, TaskMetric
from equipoise.lab.evaluation.numbers import listing, percent
from equipoise.lab.evaluation.settle import give_precision
from equipoise.lab.evaluation.table import Comparison, Row, Table

MOST_NAMED = 3  # tasks, where something holds for all
BEFORE_ONE = "Before you rely on it, tune the learning rate of both with the same effort; here neither was tuned."


def give_headline(table: Table, metrics: Sequence[TaskMetric], seeds: int, unequal: Sequence[str] = ()) -> str:
    """What the study found: against sum, by rank, against single-task; or the answer to its question."""
    return " ".join(give_sentences(table, metrics, seeds, unequal))


def give_sentences(
    table: Table, metrics: Sequence[TaskMetric], seeds: int, unequal: Sequence[str] = ()
) -> tuple[str, ...]:
    """The headline's sentences; the first is the verdict against the reference, or the answer to the question."""
    rows = table.rows
    of_question = [one for row in rows for score in row.scores.values() for one in score.to.values()]
    compared = of_question if table.question else [comparison for _, _, comparison in _compared(rows)]
    pairs = [comparison.interval.n for comparison in compared] or [seeds]
    fewest, most = min(pairs), max(pairs)
    over = f"Over {most} seeds" if most > 1 else "With one seed"
    if fewest < seeds:
        over = f"Over {fewest if fewest == most else f'{fewest} to {most}'} of {seeds} seeds"
    if table.question:
        return tuple(filter(None, (give_answer(table, metrics), f"{over}.", *_missing(table), _stamp(unequal))))
    tuned = f"Against tuned fixed weights: {beats_tuned(table, metrics)}" if _row(rows, TUNED) else ""
    first, *rest = _balancings(rows, metrics, most, table)
    found = [*rest, tuned, _ranks(table), _sharing(table, metrics), *_missing(table), _stamp(unequal)]
    return (f"{over}, {first}", *filter(None, found))


def give_advice(table: Table, metrics: Sequence[TaskMetric]) -> str:
    """What to do: which method to use, how many seeds would settle the rest, which task to train alone."""
    if table.question:
        return give_precision(table, metrics)
    return " ".join(filter(None, (_choice(table, metrics), give_precision(table, metrics), _alone(table, metrics))))


def _stamp(unequal: Sequence[str]) -> str:
    return f"Unequal: {'; '.join(unequal)}." if unequal else ""


def _missing(table: Table) -> list[str]:
    return [f"{missing}: no verdict in its favour." for missing in table.incomplete.values()]


def _ranks(table: Table) -> str:
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


def _compared(rows: Iterable[Row]) -> list[tuple[Row, str, Comparison]]:
    return [(row, task, score.to_sum) for row in rows for task, score in row.scores.items() if score.to_sum]


def _row(rows: Iterable[Row], method: str) -> Row | None:
    return next((row for row in rows if row.method == method), None)


def _balancings(rows: Sequence[Row], metrics: Sequence[TaskMetric], seeds: int, table: Table) -> list[str]:
    """Sentences on the comparisons with the reference; at least one."""
    compared, plain = _compared(rows), table.baselines.spoken
    if not compared:
        there = _row(rows, table.baselines.reference)
        lacking = f"nothing but {plain} was trained" if there else f"no {plain.removeprefix('the ')} was trained"
        return [f"{lacking}, so no balancing is compared with it."]
    if seeds == 1:
        return ["no interval can be given: a difference between two methods may be chance."]
    clauses = findings([(row.method, task, comparison) for row, task, comparison in compared], metrics, plain)
    if not clauses:
        judged = list(dict.fromkeys(row.method for row, _, one in compared if one.verdict != "no verdict"))
        if not judged:
            return ["no verdict on any method."]
        who = f"{judged[0]} is not" if len(judged) == 1 else f"none of the {len(judged)} methods is"
        return [f"{who} significantly different from {plain} on any task.", _nearly(compared, table)]
    rest = sum(comparison.verdict == "no significant difference" for _, _, comparison in compared)
    tail = f"The other {rest} of {len(compared)} comparisons show no significant difference." if rest > 1 else ""
    tail = "The one other comparison shows no significant difference." if rest == 1 else tail
    return [f"{'; '.join(clauses)}.", tail, _nearly(compared, table)]


def _nearly(compared: Sequence[tuple[Row, str, Comparison]], table: Table) -> str:
    """What would be significant if it were the only comparison, so that nobody is puzzled by its interval."""
    alone = [
        f"{row.method} on {task}"
        for row, task, comparison in compared
        if comparison.verdict == "no significant difference" and comparison.interval.p_value < table.level
    ]
    many = f"not among {table.tested} comparisons"
    return f"Taken alone {listing(alone)} would be significant, but {many}." if alone else ""


def _base(table: Table) -> Row | None:
    """The shared network that stands for sharing: the reference, else the first balancing."""
    baselines, rows = table.baselines, table.rows
    return _row(rows, baselines.reference) or next((row for row in rows if row.method != baselines.single_task), None)


def _sharing(table: Table, metrics: Sequence[TaskMetric]) -> str:
    """Whether sharing helps; nothing for one task, which shares nothing."""
    base, baselines = _base(table), table.baselines
    if len(metrics) == 1:
        return ""
    if base is None:
        return "No network with several tasks was trained."
    if _row(table.rows, baselines.single_task) is None:
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
    middle = f"Sharing one network ({name}) against one network per task: {', '.join(parts)}"
    return f"{middle}{f'; Δm {percent(base.delta_m)}, lower is better' if base.delta_m else ''}."


def _choice(table: Table, metrics: Sequence[TaskMetric]) -> str:
    rows, plain = table.rows, table.baselines.spoken
    compared = _compared(rows)
    if not compared and len(metrics) == 1:
        return "Train another loss (--question losses), too, to learn which to use."
    if not compared:
        return f"Train {plain} and at least one balancing (--methods sum,uw) to learn which to use."
    if all(comparison.interval.low != comparison.interval.low for _, _, comparison in compared):
        return f"Train at least 3 seeds (--seeds 3, better 5) before choosing; until then use {plain}."
    wins, losses = _tally(compared, "better"), _tally(compared, "worse")
    clean = [method for method in wins if method not in losses and _is_whole(table, method)]
    if clean:
        best = min(clean, key=lambda method: (-len(wins[method]), _cost(rows, method)))
        cost = _cost(rows, best)
        price = f", at {cost:.2f} times {plain}'s time per step" if cost < inf else ""
        return (
            f"Use {best}: significantly better than {plain} on {listing(wins[best])}, nowhere significantly worse"
            f"{price}. {_before(table, best) if len(metrics) > 1 else BEFORE_ONE}"
        )
    partial = [method for method in wins if method not in losses]
    if partial:
        return (
            f"{listing(partial)} gained where it has a finite result, but lacks one where {plain} has it: "
            f"find out why before relying on it; until then use {plain}."
        )
    if wins:
        trades = [
            f"{method} gains on {listing(wins[method])} and loses on {listing(losses[method])}" for method in wins
        ]
        return f"Choose by the task that matters: {'; '.join(trades)}; otherwise use {plain}."
    slower = [
        row.cost_ratio
        for row in rows
        if row.cost_ratio and row.method not in (table.baselines.reference, table.baselines.single_task)
    ]
    price = f" (they take {min(slower):.2f} to {max(slower):.2f} times its time per step)" if len(slower) > 1 else ""
    return f"Use {plain}: nothing here is significantly better{price}."


def _before(table: Table, best: str) -> str:
    """What to do before relying on a method that beats the reference."""
    rows, plain = table.rows, table.baselines.spoken
    if table.tuned_is_sum:
        return "The search for fixed weights found none better than equal ones."
    if _row(rows, TUNED) is None:
        return f"Before you rely on it, tune {plain}'s weights with the same effort; here they were not tuned."
    if best == TUNED:
        return f"These are fixed weights, at {plain}'s cost; others, tuned as much, may do as well."
    chosen = _row(rows, best)
    verdicts = [score.to[TUNED].verdict for score in chosen.scores.values() if TUNED in score.to] if chosen else []
    if "better" in verdicts and "worse" in verdicts:
        return "Tuned fixed weights are better on one task and worse on another: choose by the task that matters."
    if "better" in verdicts:
        return "It beats tuned fixed weights, too."
    return "But it does not beat tuned fixed weights, which are simpler: prefer those unless it is cheaper to use."


def _is_whole(table: Table, method: str) -> bool:
    """Whether a method has a finite score wherever the reference has one: a run that diverged is no gain."""
    plain, mine = _row(table.rows, table.baselines.reference), _row(table.rows, method)
    if plain is None or mine is None:
        return False
    return all(set(score.seeds) <= set(mine.scores[task].seeds) for task, score in plain.scores.items())


def _tally(compared: Iterable[tuple[Row, str, Comparison]], word: str) -> dict[str, list[str]]:
    tally: dict[str, list[str]] = {}
    for row, task, comparison in compared:
        if comparison.verdict == word:
            tally.setdefault(row.method, []).append(task)
    return tally


def _cost(rows: Sequence[Row], method: str) -> float:
    row = _row(rows, method)
    return inf if row is None or row.cost_ratio is None else row.cost_ratio


def _alone(table: Table, metrics: Sequence[TaskMetric]) -> str:
    base = _base(table)
    worse = [
        metric.task
        for metric in metrics
        if base and (found := base.scores[metric.task].to_single_task) and found.verdict == "worse"
    ]
    if not worse or len(metrics) == 1:
        return ""
    return f"Where {listing(worse)} matters most, train it alone: the shared network is significantly worse there."
