"""The Nash bargaining weights of K gradients, by Newton's method on their cosines.

Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022, claim 3.1, with preferences p. Put
b = norms * alpha: G alpha = p / alpha becomes C b = p / b, where the strictly convex
1/2 b^T C b - sum_k p_k log b_k is stationary. It has a minimiser unless a convex combination of the
gradients is zero.
"""

import numpy as np

from equipoise.aggregation.solvers.min_norm import EPSILON, Array, min_norm

MOST_STEPS = 50  # a solution that rounding does not hide takes fewer than 25


def nash(gramian: Array, preference: Array) -> tuple[Array, float]:
    """The positive alpha with gramian @ alpha = preference / alpha.

    If there is none, no direction decreases all losses, and alpha @ rows is the point of least norm in the convex hull
    of the unit gradients. A gradient that is exactly zero takes no part: the others bargain without it, and its weight
    is 1, which changes no shared parameter and lets the task's head learn.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        preference: [K], positive; the bargaining power of each task.

    Returns:
        alpha [K], and the largest error of an equation relative to its largest term; inf where there is no solution.

    >>> nash(np.diag([4.0, 0.25]), np.ones(2))
    (array([0.5, 2. ]), 0.0)
    """
    norms = np.sqrt(gramian.diagonal())
    nonzero = norms > 0
    if not nonzero.all():
        alpha = np.ones_like(norms)
        if nonzero.any():
            alpha[nonzero], _ = nash(gramian[np.ix_(nonzero, nonzero)], preference[nonzero])
        return alpha, np.inf
    cosines = gramian / norms[:, None] / norms
    lowest = min_norm(cosines)
    if lowest @ cosines @ lowest > len(norms) * EPSILON:
        shares = _bargain(cosines, preference)
        errors = np.abs(cosines @ shares - preference / shares)
        if (errors * shares / preference).max() < 1e-3:
            return shares / norms, float((errors / np.abs(cosines * shares).max(axis=1)).max())
    return lowest / norms, np.inf


def _bargain(cosines: Array, preference: Array) -> Array:
    """The b [K] with cosines @ b = preference / b, by Newton's steps, each damped by 1 / (1 + r).

    r is the largest relative decrease of an entry of b in that step. Along such a step the slope of the objective
    stays negative (the logarithm's curvature has grown at most by the square of 1 + r), so it never overshoots,
    whatever the preferences, and b stays positive.
    """
    if len(cosines) == 2 and preference[0] == preference[1]:
        return np.asarray(np.sqrt(preference / (1 + cosines[0, 1])))
    shares = np.sqrt(preference)
    for _ in range(MOST_STEPS):
        curvature = cosines + np.diag(preference / shares**2)
        try:
            step = np.linalg.solve(curvature, preference / shares - cosines @ shares)
        except np.linalg.LinAlgError:  # shares so large that only the cosines are left: the residual will tell
            break
        change = step / shares
        shares = shares + step / (1 + max(-change.min(), 0.0))
        if np.abs(change).max() < 1e-8:  # its square is below rounding
            break
    return np.asarray(shares)
