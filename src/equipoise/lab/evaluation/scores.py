"""Numbers over all tasks: Δm, ranks, skills; several, because each is only a proxy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean

import numpy as np
import numpy.typing as npt

from equipoise.lab.evaluation.metric import SINGLE_TASK, TaskMetric, Values
from equipoise.lab.evaluation.statistics import Interval, RankTest, paired_t, rank_test

FORMULA = "Δm = (1/M) Σ (-1)^l (method - baseline) / baseline · 100, l = 1 where higher is better"
RATIO_FORMULA = "geometric mean ratio = (Π method / baseline)^(1/K), inverted where lower is better"


def delta_m(
    method_values: Sequence[float], baseline_values: Sequence[float], higher_is_better: Sequence[bool]
) -> float:
    """Δm = (1/M) Σ (-1)^l (M_m - B_m) / B_m · 100 in percent, l = 1 where higher is better: lower is better.

    Maninis et al., Attentive Single-Tasking of Multiple Tasks, CVPR 2019. It weighs a task by the
    inverse of its baseline. For a baseline that is not positive it means nothing and is NaN.

    >>> delta_m([0.75, 0.75], [0.5, 0.5], [True, False]), delta_m([0.625], [0.5], [False])
    (0.0, 25.0)
    """
    return float(100 * np.mean(_changes(method_values, baseline_values, higher_is_better)))


def relative_changes(
    method_values: Sequence[float], baseline_values: Sequence[float], higher_is_better: Sequence[bool]
) -> list[float]:
    """The terms of Δm, (-1)^l (M_m - B_m) / B_m · 100 in percent: positive is worse; NaN as for ``delta_m``.

    >>> relative_changes([0.75, 0.75], [0.5, 0.5], [True, False])
    [-50.0, 50.0]
    """
    return [float(100 * change) for change in _changes(method_values, baseline_values, higher_is_better)]


def median_delta_m(
    method_values: Sequence[float], baseline_values: Sequence[float], higher_is_better: Sequence[bool]
) -> float:
    """The median of the terms of Δm in percent: one task with a tiny baseline cannot decide it.

    >>> median_delta_m([1.5, 0.5, 9.0], [1.0, 0.5, 0.5], [False, False, False])
    50.0
    """
    return float(100 * np.median(_changes(method_values, baseline_values, higher_is_better)))


def _changes(
    method_values: Sequence[float], baseline_values: Sequence[float], higher_is_better: Sequence[bool]
) -> npt.NDArray[np.float64]:
    """Each metric's relative change [M], positive is worse; all NaN where a baseline is not positive."""
    if not len(method_values) == len(baseline_values) == len(higher_is_better):
        raise ValueError(
            "method_values, baseline_values and higher_is_better must be equally long, got "
            f"{len(method_values)}, {len(baseline_values)} and {len(higher_is_better)}"
        )
    method, baseline = np.asarray(method_values, float), np.asarray(baseline_values, float)
    if not (baseline > 0).all():
        return np.full(len(baseline), np.nan)
    changes: npt.NDArray[np.float64] = np.where(higher_is_better, -1.0, 1.0) * (method - baseline) / baseline
    return changes


def mean_rank(values: Sequence[Sequence[float]], higher_is_better: Sequence[bool]) -> list[float]:
    """The rank of each method among all, from 1 for the best, averaged over M metrics.

    Args:
        values: [methods][M]; ties share the mean of their ranks, a NaN ranks behind every number.
        higher_is_better: [M].

    >>> mean_rank([[0.9, 0.5], [0.8, 0.4], [0.8, 0.6]], [True, False])
    [1.5, 1.75, 2.75]
    """
    cost = np.where(higher_is_better, -1.0, 1.0) * np.asarray(values, float)
    cost = np.where(np.isnan(cost), np.inf, cost)
    ahead = (cost[None] < cost[:, None]).sum(axis=1)
    level = (cost[None] == cost[:, None]).sum(axis=1)
    return [float(rank) for rank in (ahead + (level + 1) / 2).mean(axis=1)]


def skills(values: Sequence[float], trivial: Sequence[float], perfect: Sequence[float]) -> list[float]:
    """skill_k = (value_k - trivial_k) / (perfect_k - trivial_k): below 0 is worse than a constant.

    NaN where a constant is already perfect.

    Raises:
        ValueError: If the arguments are not equally long, or empty.

    >>> skills([0.75, 0.5], trivial=[0.5, 2.0], perfect=[1.0, 0.0])
    [0.5, 0.75]
    """
    if not len(values) == len(trivial) == len(perfect) or not len(values):
        raise ValueError(
            "values, trivial and perfect must be equally long and not empty, got "
            f"{len(values)}, {len(trivial)} and {len(perfect)}"
        )
    value, low, high = (np.asarray(each, float) for each in (values, trivial, perfect))
    span = np.where(high == low, np.nan, high - low)
    return [float(skill) for skill in (value - low) / span]


def average_task_performance(skills: Sequence[float]) -> float:
    """(1/K) Σ skill_k: a gain on one task makes up for the same loss on another.

    >>> average_task_performance([0.5, 0.75])
    0.625
    """
    return float(np.mean(skills))


def worst_task(skills: Sequence[float], tasks: Sequence[str]) -> tuple[str, float]:
    """The task with the smallest skill, and that skill; a NaN is below every number.

    Raises:
        ValueError: If skills and tasks are not equally long, or empty.

    >>> worst_task([0.5, 0.75], ["rating", "department"])
    ('rating', 0.5)
    """
    if len(skills) != len(tasks) or not len(skills):
        raise ValueError(f"skills and tasks must be equally long and not empty, got {len(skills)} and {len(tasks)}")
    worst = int(np.argmin(np.where(np.isnan(skills), -np.inf, skills)))
    return tasks[worst], float(skills[worst])


def aggregated_score(skills: Sequence[float]) -> float:
    """(Π max(skill_k, 0))^(1/K), 0 to 1: a task no better than a constant makes it 0, no other can make up for it.

    The geometric mean: the same factor on any task's skill moves it as much.

    >>> aggregated_score([0.25, 1.0]), aggregated_score([0.9, -0.1])
    (0.5, 0.0)
    """
    return float(np.prod(np.maximum(skills, 0.0)) ** (1 / len(skills)))


@dataclass(frozen=True)
class Skills:
    """Of the means over seeds: the mean skill, the worst task with its own, and the geometric mean of skills."""

    average: float
    worst: tuple[str, float]
    score: float


@dataclass(frozen=True)
class Against:
    """A method against the single-task networks over the seeds in which both have every task.

    Args:
        delta_m: Δm in percent, lower is better.
        median_delta_m: the median over tasks in place of the mean, averaged over seeds.
        worst: the task that loses most and its mean relative change in percent, positive is worse.
        wins: on how many tasks the mean is better; ties count for nobody, and nothing is tested.
        ratio: the geometric mean over tasks of how many times as good, above 1 is better; None where a mean is not
            positive.
    """

    delta_m: Interval
    median_delta_m: float
    worst: tuple[str, float]
    wins: int
    ratio: float | None

    @property
    def delta_p(self) -> float:
        """Δp = -Δm in percent: higher is better."""
        return 0.0 - self.delta_m.mean  # a zero stays without sign


def skills_of(by_task: Mapping[str, Mapping[int, float]], metrics: Sequence[TaskMetric]) -> Skills | None:
    """None where a task has no finite value, or a constant is already perfect."""
    if any(not by_task[metric.task] or metric.perfect == metric.trivial for metric in metrics):
        return None
    means = [fmean(by_task[metric.task].values()) for metric in metrics]
    found = skills(means, [metric.trivial for metric in metrics], [metric.perfect for metric in metrics])
    worst = worst_task(found, [metric.task for metric in metrics])
    return Skills(average_task_performance(found), worst, aggregated_score(found))


def against(
    mine: Mapping[str, Mapping[int, float]], alone: Mapping[str, Mapping[int, float]], metrics: Sequence[TaskMetric]
) -> Against | None:
    """None without a seed in which both have every task, or where a single-task value is not positive."""
    seeds = [
        seed
        for seed in mine[metrics[0].task]
        if all(seed in mine[metric.task] and seed in alone.get(metric.task, {}) for metric in metrics)
    ]
    if not seeds or any(alone[metric.task][seed] <= 0 for metric in metrics for seed in seeds):
        return None
    higher = [metric.higher_is_better for metric in metrics]
    ours = [[mine[metric.task][seed] for metric in metrics] for seed in seeds]
    theirs = [[alone[metric.task][seed] for metric in metrics] for seed in seeds]
    pairs = list(zip(ours, theirs, strict=True))
    by_seed = [relative_changes(one, other, higher) for one, other in pairs]
    changes = {metric.task: fmean(seed[k] for seed in by_seed) for k, metric in enumerate(metrics)}
    worst = max(changes, key=lambda task: changes[task])
    sides = [(fmean(one[k] for one in ours), fmean(other[k] for other in theirs)) for k in range(len(metrics))]
    gains = [(a, b) if up else (b, a) for (a, b), up in zip(sides, higher, strict=True)]  # better where a > b
    positive = all(a > 0 and b > 0 for a, b in gains)
    return Against(
        delta_m=paired_t([delta_m(one, other, higher) for one, other in pairs]),
        median_delta_m=fmean(median_delta_m(one, other, higher) for one, other in pairs),
        worst=(worst, changes[worst]),
        wins=sum(a > b for a, b in gains),
        ratio=exp(fmean(log(a / b) for a, b in gains)) if positive else None,
    )


def mean_ranks(values: Values, metrics: Sequence[TaskMetric], single_task: str = SINGLE_TASK) -> dict[str, float]:
    """Mean rank over tasks of the means over seeds, among the methods; none for a single one."""
    names = [name for name in values if name != single_task]
    if len(names) < 2:
        return {}
    means = [
        [fmean(found.values()) if (found := values[name][metric.task]) else float("nan") for metric in metrics]
        for name in names
    ]
    return dict(zip(names, mean_rank(means, [metric.higher_is_better for metric in metrics]), strict=True))


def ranks_by_seed(values: Values, metrics: Sequence[TaskMetric], single_task: str = SINGLE_TASK) -> RankTest | None:
    """The methods ranked within each seed by their mean rank over the tasks: seeds are the blocks.

    Methods without any whole seed stay out, then seeds that lack one of the others. None for fewer than 3 methods or 2
    seeds.
    """
    whole = {
        name: set.intersection(*(set(by_task[metric.task]) for metric in metrics))
        for name, by_task in values.items()
        if name != single_task
    }
    names = [name for name, seeds in whole.items() if seeds]
    if len(names) < 3:
        return None
    seeds = sorted(set.intersection(*(whole[name] for name in names)))
    if len(seeds) < 2:
        return None
    higher = [metric.higher_is_better for metric in metrics]
    return rank_test(
        names,
        [mean_rank([[values[name][m.task][seed] for m in metrics] for name in names], higher) for seed in seeds],
    )
