"""Numbers over all tasks of a table, several because each is only a proxy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean

from equipoise.lab.evaluation.metric import SINGLE_TASK, TaskMetric, Values
from equipoise.lab.evaluation.ranks import RankTest, rank_test
from equipoise.lab.evaluation.scores import (
    aggregated_score,
    average_task_performance,
    delta_m,
    mean_rank,
    median_delta_m,
    relative_changes,
    skills,
    worst_task,
)
from equipoise.lab.evaluation.statistics import Interval, paired_t

RATIO_FORMULA = "geometric mean ratio = (Π method / baseline)^(1/K), inverted where lower is better"


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
