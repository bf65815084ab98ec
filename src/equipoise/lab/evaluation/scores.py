"""One number over many tasks, between a constant and a perfect prediction.

The skill of a task is 0 for a constant predictor and 1 for a perfect one, whatever its metric, so that skills can be
compared and averaged where metrics cannot. Like Δm, each of these numbers is only a proxy.
"""

from collections.abc import Sequence

import numpy as np

SKILL_FORMULA = "skill = (value - trivial) / (perfect - trivial)"
AVERAGE_FORMULA = "average task performance = (1/K) Σ skill"
SCORE_FORMULA = "score = (Π max(skill, 0))^(1/K)"


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
