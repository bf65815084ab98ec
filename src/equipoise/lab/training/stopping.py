"""Which tasks have learnt what they will."""

from collections.abc import Collection, Mapping, Sequence

from equipoise.lab.training.problem import MetricLike
from equipoise.lab.training.result import Moment
from equipoise.lab.training.selection import should_stop, skill


def stopping_tasks(
    history: Sequence[Moment], stopped: Collection[str], metrics: Mapping[str, Sequence[MetricLike]], patience: int
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
