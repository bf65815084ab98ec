"""The verdict of a table in one sentence of at most 25 words."""

from collections.abc import Mapping, Sequence

from equipoise.lab.evaluation.metric import TaskMetric
from equipoise.lab.evaluation.numbers import fitting, listing
from equipoise.lab.evaluation.statistics import FEWEST
from equipoise.lab.evaluation.table import Compared, ComparisonTable

MOST_NAMED = 2  # tasks that a clause names

_OTHERS = {"sharing": "single-task networks", "tuned": "tuned fixed weights", "losses": "the case's losses"}
_OTHERS |= {"freeze": "its own schedule"}  # what each question compares with


def headline_of(table: ComparisonTable, metrics: Sequence[TaskMetric], seeds: int) -> str:
    """Which methods differ significantly from what they are compared with.

    Args:
        table: Of the study.
        metrics: The primary one of each task.
        seeds: How many were asked for.
    """
    other, compared = _OTHERS.get(table.question) or table.baselines.brief, table.compared
    alone = {row.method for row in table.rows} <= {table.baselines.reference, table.baselines.single_task}
    if not compared and not table.question and alone:
        return f"No method is compared with {other}: no other method was trained."
    if not compared:
        what = "no seed of both has every task" if table.means else "no seed has a finished run of both"
        return f"No method is compared with {other}: {what}."
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
        on = f"on {metrics[0].task}" if table.means else f"on any {task}"
        if len(judged) == 1:
            tail = f"does not differ significantly from {other} {on}."
            return fitting(f"{over}, {judged[0]} {tail}", f"{over}, the method {tail}")
        return f"{over}, none of the {len(judged)} methods differs significantly from {other} {on}."
    rest = any(one.verdict == "no significant difference" for _, _, one in compared)
    tail = "; no other difference is significant" if rest else ""
    whole, short = _clauses(by_word, other, len(metrics)), _clauses(by_word, other, 0)
    counts = " and ".join(
        f"{len(found)} significantly {word}" if place else _counted(found, methods, word, other)
        for place, (word, found) in enumerate((word, found) for word, found in by_word.items() if found)
    )
    return fitting(f"{over}, {whole}{tail}.", f"{over}, {whole}.", f"{over}, {short}.", f"{over}, {counts}.")


def tally(compared: Compared, word: str) -> dict[str, list[str]]:
    """The tasks on which each method has a verdict, by the methods that have it on any."""
    found: dict[str, list[str]] = {}
    for method, task, comparison in compared:
        if comparison.verdict == word:
            found.setdefault(method, []).append(task)
    return found


def _over(compared: Compared, seeds: int) -> str:
    pairs = [one.interval.n for _, _, one in compared]
    fewest, most = min(pairs), max(pairs)
    of = f" of {seeds}" if fewest < seeds else ""
    only = "only " if most < FEWEST else ""
    return f"Over {only}{fewest if fewest == most else f'{fewest} to {most}'}{of} seeds"


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
