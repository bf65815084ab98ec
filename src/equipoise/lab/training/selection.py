"""Which epoch is the best, and when to give up waiting for a better one."""

import math
from collections.abc import Mapping, Sequence

from equipoise.lab.training.problem import Metric


def skill(value: float, metric: Metric) -> float:
    """(value - trivial) / (perfect - trivial): 0 for a constant predictor, 1 for a perfect one.

    Raises:
        ValueError: If a constant predictor is perfect, so that there is nothing to learn.
    """
    if metric.perfect == metric.trivial:
        raise ValueError(f"metric {metric.name!r}: a constant predictor is already perfect, at {metric.trivial}")
    return (value - metric.trivial) / (metric.perfect - metric.trivial)


def mean_skill(values: Mapping[str, Mapping[str, float]], metrics: Mapping[str, Sequence[Metric]]) -> float:
    """The mean skill of the tasks' primary metrics; ``values`` are by task and metric name."""
    skills = [skill(values[task][metrics[task][0].name], metrics[task][0]) for task in values]
    return sum(skills) / len(skills)


def best_epoch(skills: Sequence[float]) -> int:
    """The epoch, counted from 1, of the largest skill, the first among equals; NaN is below all."""
    return 1 + max(range(len(skills)), key=lambda i: -math.inf if math.isnan(skills[i]) else skills[i])


def should_stop(skills: Sequence[float], patience: int) -> bool:
    """Whether the last ``patience`` epochs brought nothing better."""
    return len(skills) - best_epoch(skills) >= patience
