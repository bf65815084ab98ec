"""Projections onto the dual cone of K rows, {d: g_k . d >= 0 for all k}, from their gramian alone.

Quinton & Rey, Jacobian Descent for Multi-Objective Optimization, 2024, proposition 1: J^T u is projected to J^T w with
the w >= u of least w^T G w.
"""

import numpy as np

from equipoise.aggregation.solvers.half_spaces import shortest_step, shortest_steps
from equipoise.aggregation.solvers.min_norm import Array


def project(gramian: Array, rows: Array) -> tuple[Array, float]:
    """Weights w of the projections of sum_k u_k g_k, for each row u of ``rows``.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        rows: [R, K], not negative.

    Returns:
        w [R, K] >= rows, and the largest violation of G w >= 0 and of (w - u) . G w = 0, each constraint in
        the units of its own row and of the longest product.

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
    heights = -products / norms
    if len(rows) == 1:
        step, residual = shortest_step(cosines, heights[0])
        return rows + step / norms, residual
    steps, residual = shortest_steps(cosines, heights)
    return rows + steps / norms, residual
