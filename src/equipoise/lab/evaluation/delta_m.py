"""One number over many tasks, and why there are two of them: Δm and the mean rank are only proxies."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FORMULA = "Δm = (1/M) Σ (-1)^l (method - baseline) / baseline · 100, l = 1 where higher is better"


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
