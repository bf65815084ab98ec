"""The direction nearest to one row that makes a share of progress along each other row, from their gramian alone.

Varam & AlHajri, Priority-Constrained Descent, TMLR 2026, definition 4.1: min |d - h_p|^2, h_k . d >= tau |h_k|^2.
"""

import numpy as np

from equipoise.aggregation.solvers.least_distance import shortest_step
from equipoise.aggregation.solvers.min_norm import EPSILON, Array


def nearest_to(primary: int, gramian: Array, tau: float) -> tuple[Array, float]:
    """The weights w >= 0 of d = sum_k w_k h_k, scaled to the length of row ``primary``.

    They are zero where that row is, and where the constraints leave nothing of it; where no d meets all
    constraints, they are 1 for ``primary`` and 0 for the others. A row that is zero constrains nothing.

    Args:
        primary: The row to stay near to.
        gramian: [K, K], float64, positive semidefinite, finite.
        tau: Not negative.

    Returns:
        w [K], and the largest violation of the optimality conditions relative to the largest constraint; inf where
        no d meets all.

    >>> nearest_to(0, np.array([[4.0, -2.0], [-2.0, 4.0]]), 0.0)[0].round(6)  # 120 degrees apart: d is across h_1
    array([1.154701, 0.57735 ])
    """
    norms = np.sqrt(gramian.diagonal())
    weights = np.zeros_like(norms)
    if norms[primary] == 0:
        return weights, 0.0
    weights[primary] = 1.0
    others = np.flatnonzero((norms > 0) & (np.arange(len(norms)) != primary))
    cosines = gramian[others[:, None], others] / norms[others, None] / norms[others]
    heights = tau * norms[others] - gramian[others, primary] / norms[others]
    step, residual = shortest_step(cosines, heights, max(norms[primary], tau * norms.max()))
    if np.isfinite(residual):
        weights[others] = step / norms[others]
    square = float(weights @ gramian @ weights)
    is_left = square > len(norms) * EPSILON * float(weights @ norms) ** 2
    return weights * (norms[primary] / np.sqrt(square) if is_left else 0.0), residual
