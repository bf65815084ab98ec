"""Of many tasks the mean is compared first, and single tasks only where it differs: 600 verdicts at once find nothing.

Within a pair of methods whose means differ, tasks are judged by Benjamini and Hochberg (Controlling the false discovery
rate, JRSS B 1995), at the share of 5 % that Benjamini and Bogomolov (Selective inference on multiple families of
hypotheses, JRSS B 2014) give to families that were selected: the pairs that differ among all pairs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, quantiles

from equipoise.lab.evaluation.metric import Baselines, TaskMetric, Values
from equipoise.lab.evaluation.statistics import LEVEL, Verdict, benjamini_hochberg
from equipoise.lab.settings import MANY_TASKS

Key = tuple[str, str, str]  # method, the other, task


@dataclass(frozen=True)
class MeanOver:
    """A mean over tasks as the metric of one: of the same metric as it is, of several metrics as skills."""

    metric: TaskMetric
    tasks: tuple[TaskMetric, ...]

    def by_seed(self, by_task: Mapping[str, Mapping[int, float]]) -> dict[int, float]:
        """The mean of a method's values, over the seeds in which it has every task."""
        first, *rest = (set(by_task.get(metric.task, {})) for metric in self.tasks)
        return {
            seed: fmean(self.value(metric, by_task[metric.task][seed]) for metric in self.tasks)
            for seed in sorted(first.intersection(*rest))
        }

    def value(self, metric: TaskMetric, value: float) -> float:
        """A task's value in the unit of the mean."""
        if metric.name == self.metric.name:
            return value
        return (value - metric.trivial) / (metric.perfect - metric.trivial)


def means_over(metrics: Sequence[TaskMetric], baselines: Baselines, values: Values) -> tuple[MeanOver, ...]:
    """What is compared first: the mean over all tasks, and over those with single-task networks where these are some.

    Empty for up to 20 tasks, and where tasks have several metrics whose trivial values are not known: then each
    comparison of a task is tested, by Holm. A task of which the reference has no value is in no mean, as nothing is
    compared with it there: its metric is not defined, as AUROC where a test split has one class.
    """
    if len(metrics) <= MANY_TASKS:
        return ()
    metrics = [metric for metric in metrics if has_values(metric.task, values, baselines)] or metrics
    same = len({(metric.name, metric.higher_is_better) for metric in metrics}) == 1
    if not same and any(metric.perfect == metric.trivial for metric in metrics):
        return ()
    some = [metric for metric in metrics if baselines.has(metric.task)]
    return tuple(_mean(of, same) for of in (metrics, some) if of is metrics or 0 < len(some) < len(metrics))


def has_values(task: str, values: Values, baselines: Baselines) -> bool:
    """Whether the reference, with which others are compared, has a value on a task; without one, whether any has.

    Single-task networks are left aside.
    """
    reference = values.get(baselines.reference, {})
    if any(reference.values()):
        return bool(reference.get(task))
    return any(by_task.get(task) for method, by_task in values.items() if method != baselines.single_task)


def _mean(metrics: Sequence[TaskMetric], same: bool) -> MeanOver:
    name = f"the mean of {len(metrics)} tasks"
    ends = fmean(metric.perfect for metric in metrics), fmean(metric.trivial for metric in metrics)
    first = metrics[0]
    metric = (
        TaskMetric(name, first.name, first.higher_is_better, *ends) if same else TaskMetric(name, "skill", True, 1.0)
    )
    return MeanOver(metric, tuple(metrics))


def mean_values(values: Values, means: Sequence[MeanOver]) -> dict[str, dict[str, dict[int, float]]]:
    """The means by method, name of the mean and seed."""
    return {name: {mean.metric.task: mean.by_seed(by_task) for mean in means} for name, by_task in values.items()}


def adjusted_within(of_means: Mapping[Key, float], of_tasks: Mapping[Key, float]) -> dict[Key, float]:
    """The p-values of tasks, such that below 5 % is a finding: never below that of their pair's mean.

    Args:
        of_means: By pair and mean, adjusted over all pairs.
        of_tasks: By pair and task, each alone.
    """
    by_pair = {(method, other): p for (method, other, _), p in of_means.items()}
    tested = [p for p in by_pair.values() if p == p]
    share = len(tested) / max(1, sum(p < LEVEL for p in tested))
    found = {}
    for pair, first in by_pair.items():
        keys = [key for key in of_tasks if key[:2] == pair]
        for key, p in zip(keys, benjamini_hochberg([of_tasks[key] for key in keys]), strict=True):
            found[key] = first if first != first or p != p else max(first, min(1.0, p * share))
    return {key: found.get(key, float("nan")) for key in of_tasks}


@dataclass(frozen=True)
class TaskSpread:
    """How the differences of one method to another are spread over many tasks, above 0 is better.

    Args:
        method: Whose.
        other: With which it is compared.
        metric: In whose unit: that of the tasks, or skill.
        quantiles: Of 10, 50 and 90 % of the tasks.
        better: On how many its mean is better, tested or not.
        worse: On how many worse.
        verdicts: On how many it is significantly better and worse.
        best: The task with the largest gain, and that.
        worst: The task with the least.
    """

    method: str
    other: str
    metric: str
    quantiles: tuple[float, float, float]
    better: int
    worse: int
    verdicts: tuple[int, int]
    best: tuple[str, float]
    worst: tuple[str, float]


def spread_of(
    pair: tuple[str, str], mean: MeanOver, found: Mapping[str, tuple[float, float, Verdict]]
) -> TaskSpread | None:
    """Over the tasks, by each the means of both sides and the verdict; None where fewer than two are compared."""
    gains = {}
    for metric in mean.tasks:
        if metric.task in found:
            mine, theirs, _ = found[metric.task]
            gain = mean.value(metric, mine) - mean.value(metric, theirs)
            gains[metric.task] = gain if mean.metric.higher_is_better else -gain
    if len(gains) < 2:
        return None
    tenths = quantiles(gains.values(), n=10, method="inclusive")
    best, worst = max(gains, key=gains.__getitem__), min(gains, key=gains.__getitem__)
    words = [word for _, _, word in found.values()]
    return TaskSpread(
        *pair,
        mean.metric.name,
        (tenths[0], tenths[4], tenths[8]),
        sum(gain > 0 for gain in gains.values()),
        sum(gain < 0 for gain in gains.values()),
        (words.count("better"), words.count("worse")),
        (best, gains[best]),
        (worst, gains[worst]),
    )


def some_tasks(baselines: Baselines, tasks: Sequence[str] | None) -> Baselines:
    """With the tasks that have single-task networks; None: all."""
    return baselines if tasks is None else replace(baselines, tasks=tuple(tasks))
