"""The point of least norm in the convex hull of K rows when no weight may exceed a cap, from their gramian alone.

An active set method on x = norms * w: go to the minimum over the free weights, stop at the first bound on the way and
hold it, and let go of the bound that holds back most.
"""

import numpy as np
import numpy.typing as npt

from equipoise.aggregation.solvers.min_norm import EPSILON, Array, min_norm

RIDGE = 1e-14  # makes dependent rows definite, below the gramian's rounding


def capped_min_norm(gramian: Array, cap: float) -> tuple[Array, float]:
    """The w of the simplex with w <= cap and the least w @ gramian @ w.

    Where cap is below 1 / K, all weights are 1 / K. Rows that are exactly zero share what they can take.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        cap: Positive.

    Returns:
        w [K], and the duality gap relative to the gramian's trace.

    >>> capped_min_norm(np.diag([1.0, 9.0]), 0.75)
    (array([0.75, 0.25]), 0.0)
    """
    count = len(gramian)
    if cap * count <= 1:
        return np.full(count, 1 / count), 0.0
    zero = gramian.diagonal() == 0
    taken = min(cap * zero.sum(), 1.0)
    weights = np.where(zero, taken / max(zero.sum(), 1), 0.0)
    if taken < 1:
        rows = np.flatnonzero(~zero)
        weights[rows] = (1 - taken) * _moving(gramian[rows[:, None], rows], cap / (1 - taken))
    return weights, _gap(gramian, cap, weights)


def _gap(gramian: Array, cap: float, weights: Array) -> float:
    slopes = gramian @ weights
    order = np.sort(slopes)
    filled = np.minimum(cap, np.maximum(1 - cap * np.arange(len(order)), 0.0))  # the cheapest w for these slopes
    trace = float(gramian.trace())
    return max(float(weights @ slopes - filled @ order), 0.0) / trace if trace > 0 else 0.0


def _moving(gramian: Array, cap: float) -> Array:
    weights = min_norm(gramian)
    if weights.max() <= cap:
        return weights
    if len(gramian) == 2:
        return np.asarray(np.clip(weights, 1 - cap, cap))
    norms = np.sqrt(gramian.diagonal())
    cosines = gramian / norms[:, None] / norms
    inverse = norms.min() / norms  # w = inverse * x
    mixed = (cap - 1 / len(norms)) / (weights.max() - 1 / len(norms))
    start = mixed * weights + (1 - mixed) / len(norms)
    return np.asarray(np.clip(inverse * _active_set(cosines, inverse, cap / inverse, start / inverse), 0.0, cap))


def _active_set(cosines: Array, inverse: Array, most: Array, point: Array) -> Array:
    free = (point > 0) & (point < most)
    if not free.any():
        free[point.argmax()] = True
    for _ in range(20 * len(point)):
        rows, held = np.flatnonzero(free), np.flatnonzero(~free)
        there, level = _minimum(cosines, inverse, rows, held, point)
        here = point[rows]
        if len(rows) == 1:
            there = np.clip(
                (1 - inverse[held] @ point[held]) / inverse[rows], 0.0, most[rows]
            )  # the rest of the weight
        point = point.copy()
        beyond = (there < 0) | (there > most[rows])
        if beyond.any():
            ends = np.where(there < here, 0.0, most[rows])
            steps = np.where(beyond, (ends - here) / np.where(beyond, there - here, 1.0), np.inf)
            first = int(steps.argmin())
            point[rows] = np.clip(here + steps[first] * (there - here), 0.0, most[rows])
            point[rows[first]] = ends[first]
            free[rows[first]] = False
            continue
        point[rows] = there
        pull = np.where(point[held] == 0, 1, -1) * (level * inverse[held] - (cosines @ point)[held])
        if pull.max(initial=0.0) <= 4 * EPSILON * len(point) * point.sum():
            break
        free[held[pull.argmax()]] = True
    return point


def _minimum(
    cosines: Array, inverse: Array, rows: npt.NDArray[np.intp], held: npt.NDArray[np.intp], point: Array
) -> tuple[Array, float]:
    """The free x [F] where all slopes are level * inverse, and the level."""
    system = cosines[rows[:, None], rows] + RIDGE * np.eye(len(rows))
    fixed = cosines[rows[:, None], held] @ point[held]
    raised, lowered = np.linalg.solve(system, np.column_stack([inverse[rows], fixed])).T
    level = (1 - inverse[held] @ point[held] + inverse[rows] @ lowered) / (inverse[rows] @ raised)
    return level * raised - lowered, float(level)
