"""Projections onto the dual cone of K gradients, {d: g_k . d >= 0 for all k}, from their gramian alone.

Quinton & Rey, Jacobian Descent for Multi-Objective Optimization, 2024, proposition 1: J^T u is projected to J^T w with
the w >= u of least w^T G w.
"""

import numpy as np
import numpy.typing as npt

from equipoise.aggregation.solvers.half_spaces import SOLVED, all_by_pivoting, by_pivoting, violation
from equipoise.aggregation.solvers.min_norm import EPSILON, Array
from equipoise.aggregation.solvers.nonnegative import nonnegative

RIDGES = (0.0, 1e-14, 1e-11, 1e-8)  # the last ones for gradients whose dependence is hidden by the gramian's rounding


def project(gramian: Array, weights: Array) -> tuple[Array, float]:
    """Weights w of the projections of sum_k u_k g_k, for each row u of ``weights``.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        weights: [R, K], not negative: what is projected.

    Returns:
        w [R, K] >= weights, and the residual: the largest violation of G w >= 0, for unit gradients and relative to
        s = sum_k u_k |g_k|, and of (w - u) . G w = 0, relative to s^2. Where sum_k u_k <= 1, s^2 is at most the
        gramian's trace, so relative to that the violation of the second is no larger.

    >>> project(np.array([[1.0, -1.0], [-1.0, 4.0]]), np.eye(2))
    (array([[1.  , 0.25],
           [1.  , 1.  ]]), 0.0)
    """
    products = weights @ gramian  # g_k . d for the d that are projected
    if (products >= 0).all():
        return weights.copy(), 0.0
    squares = gramian.diagonal()
    squares = np.where(squares > 0, squares, 1.0)  # a gradient of zero bounds nothing
    if len(gramian) == 2:  # at most one of two bounds is violated, and to meet it cannot violate the other
        return weights + np.maximum(-products, 0.0) / squares, 0.0
    norms = np.sqrt(squares)
    cosines = gramian / norms[:, None] / norms
    np.fill_diagonal(cosines, 1.0)
    heights, scales = -products / norms, weights @ np.sqrt(gramian.diagonal())
    scales[scales == 0] = 1.0
    if len(weights) == 1:
        step, residual = by_pivoting(cosines, heights[0], float(scales[0]))
        steps, residuals = step[None], np.array([residual])
    else:
        steps, residuals = all_by_pivoting(cosines, heights, scales)
    failed = np.flatnonzero(~(residuals <= SOLVED))  # NaN too
    units = _units(cosines) if len(failed) else cosines
    for row in failed:
        start = np.where(np.isfinite(steps[row]), steps[row], 0.0)
        for ridge in RIDGES:
            if residuals[row] <= SOLVED:
                break
            step = _by_least_squares(units, weights[row] * norms, ridge, start)
            residual = violation(cosines, heights[row] / scales[row], step / scales[row])
            if not residuals[row] <= residual:
                steps[row], residuals[row] = step, residual
    return weights + steps / norms, float(residuals.max())


def _units(cosines: Array) -> Array:
    """Unit vectors [K, rank] with these cosines: least squares on them keep twice the digits that equations would."""
    values, vectors = np.linalg.eigh(cosines)
    kept = values > len(values) * EPSILON * values[-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _by_least_squares(units: Array, lengths: Array, ridge: float, start: Array) -> Array:
    """The m >= 0 [K] of least |sum_k (lengths_k + m_k) units_k|^2 + ridge |m|^2, for units that may be dependent."""
    target = -lengths @ units
    scale = float(np.linalg.norm(target)) or 1.0
    if ridge > 0:
        units = np.column_stack([units, np.sqrt(ridge) * np.eye(len(units))])
        target = np.append(target, np.zeros(len(units)))
    target /= scale

    def minimum(positive: npt.NDArray[np.intp]) -> Array:
        return np.asarray(np.linalg.lstsq(units[positive].T, target, rcond=None)[0])

    return scale * nonnegative(start / scale, lambda shares: units @ (target - shares @ units), minimum)
