"""Which epoch is the best, and when to give up waiting for a better one: for the run, or for a task."""

import math
from collections.abc import Collection, Mapping, Sequence

from equipoise.lab.cases import Metric
from equipoise.lab.settings import Settings
from equipoise.lab.training.result import Moment
from equipoise.names import nearest

SKILL = "skill"  # the criterion that is the mean over the tasks
SELECTION = "selection"  # in the history: the score by the criterion that selects, where it is another
Values = Mapping[str, Mapping[str, float]]  # by task, and metric or "loss"
Metrics = Mapping[str, Sequence[Metric]]


def skill(value: float, metric: Metric) -> float:
    """(value - trivial) / (perfect - trivial): 0 for a constant predictor, 1 for a perfect one.

    Raises:
        ValueError: If a constant predictor is perfect, so that there is nothing to learn.
    """
    if metric.perfect == metric.trivial:
        raise ValueError(f"metric {metric.name!r}: a constant predictor is already perfect, at {metric.trivial}")
    return (value - metric.trivial) / (metric.perfect - metric.trivial)


def skills_of(values: Values, metrics: Metrics) -> dict[str, float]:
    """The skill of each task's primary metric."""
    return {task: skill(values[task][metrics[task][0].name], metrics[task][0]) for task in values}


def mean_skill(values: Values, metrics: Metrics) -> float:
    """The mean skill of the tasks' primary metrics."""
    skills = skills_of(values, metrics).values()
    return sum(skills) / len(skills)


def parse_criterion(criterion: str, metrics: Metrics) -> tuple[str, str] | None:
    """(task, metric or "loss") of ``TASK`` or ``TASK/METRIC``; None of "skill".

    Raises:
        ValueError: If there is no such task or metric.
    """
    if criterion == SKILL:
        return None
    known = {task: (task, metrics[task][0].name) for task in metrics}
    known |= {f"{task}/{name}": (task, name) for task in metrics for name in (*_names(metrics[task]), "loss")}
    if criterion not in known:
        raise ValueError(f"no epoch can be selected by {criterion!r}; {nearest(criterion, [SKILL, *known])}")
    return known[criterion]


def score(criterion: str, values: Values, metrics: Metrics) -> float:
    """How good an epoch is, larger is better: the mean skill, one metric's skill, or minus one loss.

    A criterion of a task that this network is not trained on says nothing of it: then the mean skill.
    """
    chosen = parse_criterion(criterion, metrics)
    if chosen is None or chosen[0] not in values:
        return mean_skill(values, metrics)
    task, name = chosen
    if name == "loss":
        return -values[task][name]
    return skill(values[task][name], metrics[task][_names(metrics[task]).index(name)])


def kept_criteria(settings: Settings, tasks: Sequence[str], metrics: Metrics) -> tuple[str, ...]:
    """The criteria whose best weights are remembered, each once, the one that selects first; none of other tasks.

    Raises:
        ValueError: If there is no such task or metric.
    """
    parse_criterion(settings.select, metrics)
    asked = [*settings.keep, *(tasks if settings.task_patience is not None else ())]
    own = [one for one in asked if (chosen := parse_criterion(one, metrics)) is None or chosen[0] in tasks]
    return tuple(dict.fromkeys([settings.select, *own]))


def best_epoch(scores: Sequence[float]) -> int:
    """The epoch, counted from 1, of the largest score, the first among equals; NaN is below all."""
    return 1 + max(range(len(scores)), key=lambda i: -math.inf if math.isnan(scores[i]) else scores[i])


def should_stop(scores: Sequence[float], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought nothing better."""
    return len(scores) - best_epoch(scores) >= patience


def _names(metrics: Sequence[Metric]) -> list[str]:
    return [metric.name for metric in metrics]


def stopping_tasks(
    history: Sequence[Moment], stopped: Collection[str], metrics: Mapping[str, Sequence[Metric]], patience: int
) -> list[str]:
    """The tasks that stop now: the last ``patience`` epochs brought nothing better to their primary metric.

    Args:
        history: Of all epochs so far.
        stopped: The tasks that have stopped before.
        metrics: By task.
        patience: In epochs, at least 1.
    """
    skills: dict[str, list[float]] = {}
    for _, split, task, quantity, value in history:
        if split == "validation" and task in metrics and quantity == metrics[task][0].name:
            skills.setdefault(task, []).append(skill(value, metrics[task][0]))
    return [task for task in skills if task not in stopped and should_stop(skills[task], patience)]
