"""The shortest step into the half-spaces of K unit rows where these depend on each other, or exclude a step.

Lawson & Hanson's least distance programming (Solving Least Squares Problems, 1974, chapter 23): the m of
``shortest_step`` is proportional to the z >= 0 of least |sum_k z_k u_k|^2 + (1 - h . z)^2.
"""

import numpy as np

from equipoise.aggregation.solvers.half_spaces import SOLVED, by_pivoting, violation
from equipoise.aggregation.solvers.min_norm import Array
from equipoise.aggregation.solvers.nonnegative import nonnegative

REMOTE = 1e-12  # (scale / length)^2 of a step that is too long for a gramian to tell from infinite
MARGIN = 1e-6  # heights of a combination of rows that is zero must sum to more, to prove that they exclude each other
RIDGES = (1e-14, 1e-11, 1e-8)  # the last ones for rows whose dependence is hidden by the gramian's rounding


def shortest_step(cosines: Array, heights: Array, scale: float) -> tuple[Array, float]:
    """The m >= 0 with cosines @ m >= heights, zero wherever this is strict: v = sum_k m_k u_k is the shortest step.

    Args:
        cosines: [K, K], float64, positive semidefinite, 1 on the diagonal.
        heights: [K], finite.
        scale: Of the numbers that the heights are differences of; positive.

    Returns:
        m [K], and the largest violation of these conditions relative to the scale. It is inf where no
        step reaches all half-spaces; m then proves it, for sum_k m_k u_k is zero to rounding, and m . h positive.

    >>> shortest_step(np.array([[1.0, -0.5], [-0.5, 1.0]]), np.array([0.5, -1.0]), 1.0)
    (array([0.5, 0. ]), 0.0)
    """
    step, residual = by_pivoting(cosines, heights, scale)
    if residual <= SOLVED:
        return step, residual
    heights, step = heights / scale, step / scale
    for ridge in RIDGES:
        candidate, is_remote = _least_distance(cosines, heights, ridge)
        if is_remote:
            return scale * candidate, np.inf
        left = violation(cosines, heights, candidate)
        if not residual <= left:
            step, residual = candidate, left
        if residual <= SOLVED:
            break
    return scale * step, residual


def _least_distance(cosines: Array, heights: Array, ridge: float) -> tuple[Array, bool]:
    """The m of the step, and whether no step, or only a remote one, reaches all half-spaces."""
    lengths = np.sqrt(1 + heights**2)  # of the lifted rows (u_k, h_k)
    matrix = (cosines + heights[:, None] * heights) / lengths[:, None] / lengths + ridge * np.eye(len(heights))
    target = heights / lengths
    shares = nonnegative(
        np.zeros_like(target),
        lambda z: target - matrix @ z,
        lambda rows: np.asarray(np.linalg.solve(matrix[rows[:, None], rows], target[rows])),  # the ridge: definite
    )
    shares = shares / lengths
    distance = 1 - heights @ shares  # 1 / (1 + |v|^2) at the optimum
    pull = ridge * float(shares @ (lengths**2 * shares))
    if distance < REMOTE + 2 * pull and heights @ shares > MARGIN * shares.sum():
        return shares, True
    rows = np.flatnonzero(shares)
    steps = shares / distance
    exact = np.linalg.lstsq(cosines[rows[:, None], rows], heights[rows], rcond=None)[0]
    if (exact > 0).all():
        refined = np.zeros_like(steps)
        refined[rows] = exact
        if violation(cosines, heights, refined) < violation(cosines, heights, steps):
            return refined, False
    return steps, False
