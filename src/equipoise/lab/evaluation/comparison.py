"""One method against another on a task: the difference, paired by seed, and the verdict on it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from statistics import fmean

from equipoise.lab.evaluation.checks import Check, check_differences, too_many_missing
from equipoise.lab.evaluation.metric import TaskMetric
from equipoise.lab.evaluation.statistics import Interval, Verdict, paired_t, verdict

NONE: Verdict = "no significant difference"


@dataclass(frozen=True)
class Comparison:
    """A method minus another on a task, paired by seed; ``p_adjusted`` is Holm's over the study.

    ``mean`` and ``other`` are the two sides' means over the seeds that both have. ``check`` says which seeds to inspect
    before the verdict is relied on. Where more than a tenth of the runs of a side are missing, ``missing`` says so and
    no verdict is in that side's favour.
    """

    interval: Interval
    p_adjusted: float
    verdict: Verdict
    mean: float
    other: float
    check: Check | None = None
    missing: str = ""


def missing_of(method: str, found: int, asked: int) -> str:
    """In words.

    >>> missing_of("uw", 3, 5)
    '2 of 5 runs of uw missing'
    """
    return f"{asked - found} of {asked} runs of {method} missing"


def judged_comparison(one: Comparison, *, higher_is_better: bool, runs: Sequence[tuple[str, int, int]]) -> Comparison:
    """With its verdict; none where it would favour a side that lacks runs, or where such a side seems to do as well.

    Args:
        one: With its adjusted p-value.
        higher_is_better: Of the metric.
        runs: Of the two sides: its name, how many runs it has, and how many were asked for.
    """
    word = verdict(one.interval.mean, one.p_adjusted, higher_is_better)
    lacking = [place for place, (_, found, asked) in enumerate(runs) if too_many_missing(found, asked)]
    against = {"better": 1, "worse": 0}.get(word)
    if not any(place != against for place in lacking):
        return replace(one, verdict=word)
    return replace(one, verdict="no verdict", missing="; ".join(missing_of(*runs[place]) for place in lacking))


def compare_by_seed(mine: Mapping[int, float], theirs: Mapping[int, float], metric: TaskMetric) -> Comparison | None:
    """The comparison of two sides' values by seed, not judged yet; None where they have no seed in common."""
    both = [(mine[seed], theirs[seed]) for seed in mine if seed in theirs]
    if not both:
        return None
    interval = paired_t([a - b for a, b in both], max(map(abs, chain.from_iterable(both))))
    means = fmean(a for a, _ in both), fmean(b for _, b in both)
    tested = interval.p_value == interval.p_value
    check = check_differences(mine, theirs, metric) if tested else None
    return Comparison(interval, interval.p_value, NONE, *means, check)
