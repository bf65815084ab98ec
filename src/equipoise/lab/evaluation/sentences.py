"""The verdict and the advice of a table, each one sentence of at most 25 words."""

from collections.abc import Iterable, Mapping, Sequence
from math import inf, isnan

from equipoise.lab.evaluation.metric import TUNED, TaskMetric
from equipoise.lab.evaluation.numbers import listing
from equipoise.lab.evaluation.precision import FEWEST, nearest, seeds_needed
from equipoise.lab.evaluation.statistics import LEVEL
from equipoise.lab.evaluation.table import Comparison, ComparisonTable, Row

MOST_WORDS = 25
MOST_NAMED = 2  # tasks that a clause names

Compared = Sequence[tuple[str, str, Comparison]]  # method, task, comparison with another
_OTHERS = {"sharing": "single-task networks", "tuned": "tuned fixed weights", "losses": "the case's losses"}
_OTHERS |= {"freeze": "its own schedule"}  # what each question compares with


def compared_in(table: ComparisonTable) -> Compared:
    """The comparisons that a study is about: with the reference, or those of its question."""
    pairs = [(row.method, task, score) for row in table.rows for task, score in row.scores.items()]
    if table.question:
        return [(method, task, one) for method, task, score in pairs for one in score.to.values()]
    return [(method, task, score.to_sum) for method, task, score in pairs if score.to_sum]


def headline_of(table: ComparisonTable, metrics: Sequence[TaskMetric], seeds: int) -> str:
    """Which methods differ significantly from what they are compared with.

    Args:
        table: Of the study.
        metrics: The primary one of each task.
        seeds: How many were asked for.
    """
    other, compared = _OTHERS.get(table.question) or _plain(table), compared_in(table)
    if table.tuned_is_sum and table.question == "tuned":
        return "Equal weights were the best of the search for fixed weights: nothing is compared with tuned ones."
    if not compared:
        return f"No method is compared with {other}: no seed has a finished run of both."
    if all(one.interval.n < 2 for _, _, one in compared):
        return f"With one seed no difference to {other} can be tested: it may be chance."
    over, methods = _over(compared, seeds), list(dict.fromkeys(method for method, _, _ in compared))
    by_word = {word: tally(compared, word) for word in ("better", "worse")}
    if not any(by_word.values()):
        judged = list(dict.fromkeys(method for method, _, one in compared if one.verdict != "no verdict"))
        if not judged:
            return f"{over}, no verdict on any method: too many runs are missing."
        judged_on = {task for _, task, one in compared if one.verdict != "no verdict"}
        task = "task" if len(judged_on) == len(metrics) else "task with a verdict"
        if len(judged) == 1:
            tail = f"does not differ significantly from {other} on any {task}."
            return fitting(f"{over}, {judged[0]} {tail}", f"{over}, the method {tail}")
        return f"{over}, none of the {len(judged)} methods differs significantly from {other} on any {task}."
    rest = any(one.verdict == "no significant difference" for _, _, one in compared)
    tail = "; no other difference is significant" if rest else ""
    whole, short = _clauses(by_word, other, len(metrics)), _clauses(by_word, other, 0)
    counts = " and ".join(
        f"{len(found)} significantly {word}" if place else _counted(found, methods, word, other)
        for place, (word, found) in enumerate((word, found) for word, found in by_word.items() if found)
    )
    return fitting(f"{over}, {whole}{tail}.", f"{over}, {whole}.", f"{over}, {short}.", f"{over}, {counts}.")


def advice_of(table: ComparisonTable, metrics: Sequence[TaskMetric]) -> str:
    """What to do next."""
    compared, plain = compared_in(table), _plain(table)
    if table.question:
        return _advice_on_question(table, compared)
    if not compared and len(metrics) == 1:
        return "Train another loss, too (--question losses), to learn which to use."
    row = row_of(table.rows, table.baselines.reference)
    others = [one for one in table.rows if one is not row and one.method != table.baselines.single_task]
    if not compared and row and any(_has_results(one) for one in others) and _has_results(row):
        return f"Train {plain} and the methods with the same seeds: differences are paired by seed."
    if not compared:
        return f"Train {plain} and at least one method (--methods sum,uw) to learn which to use."
    if all(isnan(one.interval.low) for _, _, one in compared):
        if min(one.interval.n for _, _, one in compared) >= FEWEST:
            return "No difference varies over the seeds: check that each seed is a run of its own."
        return f"Train at least 3 seeds (--seeds 3, better 5) before choosing; until then use {plain}."
    wins, losses = tally(compared, "better"), tally(compared, "worse")
    clean = [method for method in wins if method not in losses]
    whole = [method for method in clean if _is_whole(table, method)]
    if whole:
        return _use(table, min(whole, key=lambda m: (-len(wins[m]), _cost(table, m))), len(metrics))
    if clean:
        wait = f"find out why it lacks a result where {plain} has one; until then use {plain}."
        return fitting(f"Before relying on {clean[0]}, {wait}", f"Before relying on the better method, {wait}")
    if wins:
        method = next(iter(wins))
        trade = f"{method} gains on {listing(wins[method])} and loses on {listing(losses[method])}"
        otherwise = f"otherwise use {plain}."
        return fitting(
            f"Choose by the task that matters: {trade}; {otherwise}",
            f"Choose by the task that matters: every method that gains on one loses on another; {otherwise}",
        )
    alone = [task for task, score in row.scores.items() if _is_worse(score.to_single_task)] if row else []
    if alone and len(metrics) > 1:
        told = f"Use {plain} where one network must do: single-task networks are significantly better on"
        return fitting(f"{told} {listing(alone)}.", f"{told} {len(alone)} of {len(metrics)} tasks.")
    return f"Use {plain}: nothing here is significantly better."


def _has_results(row: Row) -> bool:
    return any(score.seeds for score in row.scores.values())


def _is_worse(comparison: Comparison | None) -> bool:
    return comparison is not None and comparison.verdict == "worse"


def fitting(*candidates: str) -> str:
    """The first sentence of at most 25 words; the last one where none has, which should hold no names.

    >>> fitting("word " * 26, "In short.")
    'In short.'
    """
    return next((one for one in candidates if len(one.split()) <= MOST_WORDS), candidates[-1])


def tally(compared: Compared, word: str) -> dict[str, list[str]]:
    """The tasks on which each method has a verdict, by the methods that have it on any."""
    found: dict[str, list[str]] = {}
    for method, task, comparison in compared:
        if comparison.verdict == word:
            found.setdefault(method, []).append(task)
    return found


def row_of(rows: Iterable[Row], method: str) -> Row | None:
    """The row of a method."""
    return next((row for row in rows if row.method == method), None)


def _plain(table: ComparisonTable) -> str:
    """What the others are compared with, in at most three words."""
    spoken = table.baselines.spoken
    return spoken if len(spoken.split()) <= 3 else "the reference"


def _over(compared: Compared, seeds: int) -> str:
    pairs = [one.interval.n for _, _, one in compared]
    fewest, most = min(pairs), max(pairs)
    of = f" of {seeds}" if fewest < seeds else ""
    return f"Over {fewest if fewest == most else f'{fewest} to {most}'}{of} seeds"


def _clauses(by_word: Mapping[str, Mapping[str, Sequence[str]]], other: str, tasks: int) -> str:
    """``a is significantly better than the plain sum on x and worse on y, b worse on z``; without tasks where 0."""
    parts: list[str] = []
    for method in dict.fromkeys(method for found in by_word.values() for method in found):
        words = [f"{word}@{_on(found[method], tasks)}" for word, found in by_word.items() if method in found]
        told = " and ".join(words)
        first = not parts
        told = told.replace("@", f" than {other}" if first else "", 1).replace("@", "")
        parts.append(f"{method} is significantly {told}" if first else f"{method} {told}")
    return ", ".join(parts)


def _on(found: Sequence[str], tasks: int) -> str:
    if not tasks:
        return ""
    return f" on {listing(found) if len(found) <= MOST_NAMED else f'{len(found)} of {tasks} tasks'}"


def _counted(found: Mapping[str, Sequence[str]], methods: Sequence[str], word: str, other: str) -> str:
    are = "is" if len(found) == 1 else "are"
    return f"{len(found)} of {len(methods)} methods {are} significantly {word} than {other} on some task"


def _advice_on_question(table: ComparisonTable, compared: Compared) -> str:
    if all(one.interval.n < 2 for _, _, one in compared):
        return "Train at least 3 seeds of both sides (--seeds 3, better 5)."
    if table.level != LEVEL:
        return "Keep to the planned looks: the number of seeds is decided."
    near = nearest(table)
    if near is None:
        return "Every comparison is decided or without spread: no more seeds are needed."
    method, task, comparison = near
    needed = seeds_needed(comparison, table)
    if comparison.interval.n < FEWEST:
        return "Train at least 3 seeds of both sides (--seeds 3, better 5)."
    if needed is None:
        return "Take them for equal unless you can train many more seeds."
    more = f"{needed - comparison.interval.n} more seed{'s' * (needed - comparison.interval.n != 1)}"
    return fitting(
        f"About {more} would show a difference as large as that of {method} on {task}, if it is real.",
        f"About {more} would show the largest open difference, if it is real.",
    )


def _use(table: ComparisonTable, best: str, tasks: int) -> str:
    """To use a method that is better than the plain sum and nowhere worse, and what to do before."""
    cost = _cost(table, best)
    plain = _plain(table)
    price = f" at {cost:.2f} times {plain}'s time per step" if cost < inf else ""
    if best == TUNED:
        return f"Use tuned fixed weights, at {plain}'s cost; others, tuned as much, may do as well."
    if tasks == 1:
        before = "but first tune the learning rate of both with the same effort."
    elif table.tuned_is_sum:
        before = "as the search for fixed weights found none better than equal ones."
    elif row_of(table.rows, TUNED) is None:
        before = f"but first tune {plain}'s weights with the same effort."
    else:
        return _beside_tuned(table, best, price)
    return fitting(f"Use {best},{price and f'{price},'} {before}", f"Use {best}, {before}", f"Use the best, {before}")


def _beside_tuned(table: ComparisonTable, best: str, price: str) -> str:
    chosen = row_of(table.rows, best)
    verdicts = [score.to[TUNED].verdict for score in chosen.scores.values() if TUNED in score.to] if chosen else []
    if "better" in verdicts and "worse" in verdicts:
        told = "or tuned fixed weights, each better on one task: choose by the task that matters."
        return fitting(f"Use {best} {told}", f"Use the best method {told}")
    if "better" in verdicts:
        told = "which beats tuned fixed weights, too"
        return fitting(f"Use {best},{price and f'{price},'} {told}.", f"Use {best}, {told}.", f"Use the best, {told}.")
    told = "which are simpler, unless it is cheaper to use."
    return fitting(
        f"{best} does not beat tuned fixed weights: prefer those, {told}",
        f"The best method does not beat tuned fixed weights: prefer those, {told}",
    )


def _is_whole(table: ComparisonTable, method: str) -> bool:
    """Whether a method has a finite score wherever the reference has one: a run that diverged is no gain."""
    plain, mine = row_of(table.rows, table.baselines.reference), row_of(table.rows, method)
    if plain is None or mine is None:
        return False
    return all(set(score.seeds) <= set(mine.scores[task].seeds) for task, score in plain.scores.items())


def _cost(table: ComparisonTable, method: str) -> float:
    row = row_of(table.rows, method)
    return inf if row is None or row.cost_ratio is None else row.cost_ratio
