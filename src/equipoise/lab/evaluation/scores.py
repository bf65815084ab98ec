"""One number over many tasks: Δm, ranks, skills; each is only a proxy."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FORMULA = "Δm = (1/M) Σ (-1)^l (method - baseline) / baseline · 100, l = 1 where higher is better"
SKILL_FORMULA = "skill = (value - trivial) / (perfect - trivial)"
AVERAGE_FORMULA = "average task performance = (1/K) Σ skill"
SCORE_FORMULA = "score = (Π max(skill, 0))^(1/K)"


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


def worst_delta_m(
    method_values: Sequence[float], baseline_values: Sequence[float], higher_is_better: Sequence[bool]
) -> float:
    """The largest term of Δm in percent: how much the task that loses most loses, negative if all gain.

    >>> worst_delta_m([0.75, 0.75], [0.5, 0.5], [True, False])
    50.0
    """
    return float(100 * np.max(_changes(method_values, baseline_values, higher_is_better)))


def delta_m_by_task(
    method_values: Sequence[Sequence[float]],
    baseline_values: Sequence[Sequence[float]],
    higher_is_better: Sequence[Sequence[bool]],
) -> float:
    """Δm where tasks have several metrics: the mean over tasks of the mean over a task's metrics, in percent.

    So a task does not weigh more for being measured more often. Vandenhende et al., Multi-Task Learning for Dense
    Prediction Tasks: A Survey, TPAMI 2021, have one metric a task, where it is ``delta_m``.

    Args:
        method_values: [tasks][metrics of the task].
        baseline_values: The same lengths.
        higher_is_better: The same lengths.

    Raises:
        ValueError: If lengths differ.

    >>> delta_m_by_task([[2.0, 2.0, 2.0], [0.5]], [[1.0, 1.0, 1.0], [0.5]], [[False] * 3, [True]])
    50.0
    """
    if not len(method_values) == len(baseline_values) == len(higher_is_better):
        raise ValueError(
            "method_values, baseline_values and higher_is_better must have equally many tasks, got "
            f"{len(method_values)}, {len(baseline_values)} and {len(higher_is_better)}"
        )
    return float(
        np.mean([delta_m(*task) for task in zip(method_values, baseline_values, higher_is_better, strict=True)])
    )


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
