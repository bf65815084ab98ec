"""Projections onto the dual cone of K rows, {d: g_k . d >= 0 for all k}, from their gramian alone.

Quinton & Rey, Jacobian Descent for Multi-Objective Optimization, 2024, proposition 1: J^T u is projected to J^T w with
the w >= u of least w^T G w.
"""

import numpy as np
import numpy.typing as npt

from equipoise.aggregation.solvers.half_spaces import SOLVED, all_by_pivoting, by_pivoting, violation
from equipoise.aggregation.solvers.min_norm import EPSILON, Array
from equipoise.aggregation.solvers.nonnegative import nonnegative

RIDGES = (0.0, 1e-14, 1e-11, 1e-8)  # the last ones for rows whose dependence is hidden by the gramian's rounding


def project(gramian: Array, rows: Array) -> tuple[Array, float]:
    """Weights w of the projections of sum_k u_k g_k, for each row u of ``rows``.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        rows: [R, K], not negative.

    Returns:
        w [R, K] >= rows, and the largest violation of G w >= 0 and of (w - u) . G w = 0, for unit rows
        and relative to sum_k u_k |g_k| and its square; at most so much of the gramian's trace where sum_k u_k <= 1.

    >>> project(np.array([[1.0, -1.0], [-1.0, 4.0]]), np.eye(2))
    (array([[1.  , 0.25],
           [1.  , 1.  ]]), 0.0)
    """
    products = rows @ gramian
    if (products >= 0).all():
        return rows.copy(), 0.0
    squares = gramian.diagonal()
    squares = np.where(squares > 0, squares, 1.0)  # a row that is zero bounds nothing
    if len(gramian) == 2:  # at most one of two bounds is violated, and to meet it cannot violate the other
        return rows + np.maximum(-products, 0.0) / squares, 0.0
    norms = np.sqrt(squares)
    cosines = gramian / norms[:, None] / norms
    np.fill_diagonal(cosines, 1.0)
    heights, scales = -products / norms, rows @ np.sqrt(gramian.diagonal())
    scales[scales == 0] = 1.0
    if len(rows) == 1:
        step, residual = by_pivoting(cosines, heights[0], float(scales[0]))
        steps, residuals = step[None], np.array([residual])
    else:
        steps, residuals = all_by_pivoting(cosines, heights, scales)
    failed = np.flatnonzero(~(residuals <= SOLVED))
    units = _units(cosines) if len(failed) else cosines
    for row in failed:
        lengths, scale, start = rows[row] * norms, scales[row], np.where(np.isfinite(steps[row]), steps[row], 0.0)
        for ridge in RIDGES:
            if residuals[row] <= SOLVED:
                break
            step = _by_least_squares(units, lengths, ridge, start)
            residual = violation(cosines, heights[row] / scale, step / scale)
            if not residuals[row] <= residual:
                steps[row], residuals[row] = step, residual
    return rows + steps / norms, float(residuals.max())


def _units(cosines: Array) -> Array:
    """Rows [K, rank] that have these cosines: least squares on them keep twice the digits that equations would."""
    values, vectors = np.linalg.eigh(cosines)
    kept = values > len(values) * EPSILON * values[-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _by_least_squares(units: Array, lengths: Array, ridge: float, start: Array) -> Array:
    """The m >= 0 of least |sum_k (lengths_k + m_k) u_k|^2 + ridge |m|^2, for rows that depend on each other."""
    target = -lengths @ units
    scale = float(np.linalg.norm(target)) or 1.0
    if ridge > 0:
        units = np.column_stack([units, np.sqrt(ridge) * np.eye(len(units))])
        target = np.append(target, np.zeros(len(units)))
    target /= scale

    def minimum(rows: npt.NDArray[np.intp]) -> Array:
        return np.asarray(np.linalg.lstsq(units[rows].T, target, rcond=None)[0])

    return scale * nonnegative(start / scale, lambda shares: units @ (target - shares @ units), minimum)
