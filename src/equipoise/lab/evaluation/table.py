"""The table of a study: methods x tasks, each difference to the plain sum with interval and verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev

from equipoise.lab.evaluation.delta_m import delta_m, mean_rank
from equipoise.lab.evaluation.statistics import Interval, Verdict, holm, paired_t, verdict

REFERENCE = "sum"
SINGLE_TASK = "single-task"

Values = Mapping[str, Mapping[str, Mapping[int, float]]]  # [method][task][seed], finite primary test metrics


@dataclass(frozen=True)
class TaskMetric:
    """The primary metric of a task; ``trivial`` is what a constant prediction reaches."""

    task: str
    name: str
    higher_is_better: bool
    perfect: float
    trivial: float


@dataclass(frozen=True)
class Comparison:
    """A method minus another on a task, paired by seed; ``p_adjusted`` is Holm's over the family.

    ``mean`` and ``other`` are the two sides' means over the seeds that both have.
    """

    interval: Interval
    p_adjusted: float
    verdict: Verdict
    mean: float
    other: float


@dataclass(frozen=True)
class Score:
    """A method on a task: its primary test metric over the seeds that have a finite one.

    ``to_sum`` and ``to_single_task`` are None where no pair of runs exists. ``mean`` is NaN without a
    finite value, ``spread`` (the standard deviation) with fewer than two.
    """

    mean: float
    spread: float
    seeds: tuple[int, ...]
    to_sum: Comparison | None
    to_single_task: Comparison | None


@dataclass(frozen=True)
class Row:
    """One method of the table; ``single-task`` is one network for each task, its cost that of all of them.

    ``delta_m`` is in percent against single-task, over seeds, lower is better. ``cost_ratio`` is in
    units of the plain sum. What cannot be computed is None.
    """

    method: str
    scores: Mapping[str, Score]
    delta_m: Interval | None
    mean_rank: float | None
    seconds_per_step: float | None
    cost_ratio: float | None


def make_rows(
    values: Values, metrics: Sequence[TaskMetric], seconds: Mapping[str, Mapping[int, float]]
) -> tuple[Row, ...]:
    """The rows in the order of ``values``; ``seconds`` are seconds per step by method and seed."""
    to_sum = _compare([name for name in values if name not in (REFERENCE, SINGLE_TASK)], REFERENCE, values, metrics)
    to_single_task = _compare([name for name in values if name != SINGLE_TASK], SINGLE_TASK, values, metrics)
    ranks = _ranks(values, metrics)
    speeds = {name: median(by_seed.values()) for name, by_seed in seconds.items()}
    return tuple(
        Row(
            name,
            {
                task: _score(by_seed, to_sum.get((name, task)), to_single_task.get((name, task)))
                for task, by_seed in by_task.items()
            },
            _delta_m(by_task, values.get(SINGLE_TASK, {}), metrics) if name != SINGLE_TASK else None,
            ranks.get(name),
            speeds.get(name),
            speeds[name] / speeds[REFERENCE] if name in speeds and REFERENCE in speeds else None,
        )
        for name, by_task in values.items()
    )


def _score(by_seed: Mapping[int, float], to_sum: Comparison | None, to_single_task: Comparison | None) -> Score:
    found = list(by_seed.values())
    mean = fmean(found) if found else float("nan")
    spread = stdev(found) if len(found) > 1 else float("nan")
    return Score(mean, spread, tuple(by_seed), to_sum, to_single_task)


def _compare(
    names: Sequence[str], reference: str, values: Values, metrics: Sequence[TaskMetric]
) -> dict[tuple[str, str], Comparison]:
    """Each name against the reference on each task, where there are pairs: one family for Holm."""
    intervals: dict[tuple[str, str], Interval] = {}
    sides: dict[tuple[str, str], tuple[float, float]] = {}
    for name in names:
        for metric in metrics:
            mine, theirs = values[name][metric.task], values.get(reference, {}).get(metric.task, {})
            pairs = [(mine[seed], theirs[seed]) for seed in mine if seed in theirs]
            if pairs:
                intervals[name, metric.task] = paired_t([one - other for one, other in pairs])
                sides[name, metric.task] = (fmean(one for one, _ in pairs), fmean(other for _, other in pairs))
    higher = {metric.task: metric.higher_is_better for metric in metrics}
    adjusted = holm([interval.p_value for interval in intervals.values()])
    return {
        (name, task): Comparison(interval, p, verdict(interval.mean, p, higher[task]), *sides[name, task])
        for ((name, task), interval), p in zip(intervals.items(), adjusted, strict=True)
    }


def _delta_m(
    mine: Mapping[str, Mapping[int, float]],
    alone: Mapping[str, Mapping[int, float]],
    metrics: Sequence[TaskMetric],
) -> Interval | None:
    """Δm of each seed that has every task in both, and its interval; None where it is not defined."""
    seeds = [
        seed
        for seed in mine[metrics[0].task]
        if all(seed in mine[metric.task] and seed in alone.get(metric.task, {}) for metric in metrics)
    ]
    if not seeds or any(alone[metric.task][seed] <= 0 for metric in metrics for seed in seeds):
        return None
    return paired_t(
        [
            delta_m(
                [mine[metric.task][seed] for metric in metrics],
                [alone[metric.task][seed] for metric in metrics],
                [metric.higher_is_better for metric in metrics],
            )
            for seed in seeds
        ]
    )


def _ranks(values: Values, metrics: Sequence[TaskMetric]) -> dict[str, float]:
    """Mean rank over tasks of the means over seeds, among the balancings; none for a single one."""
    names = [name for name in values if name != SINGLE_TASK]
    if len(names) < 2:
        return {}
    means = [
        [fmean(found.values()) if (found := values[name][metric.task]) else float("nan") for metric in metrics]
        for name in names
    ]
    return dict(zip(names, mean_rank(means, [metric.higher_is_better for metric in metrics]), strict=True))
