"""The alpha-fair weights of K gradients, by Newton's method on their cosines.

Ban & Ji, Fair Resource Allocation in Multi-Task Learning, ICML 2024, eq. (4): G w = w^(-1/alpha); with preferences p,
Mo & Walrand, Fair End-to-End Window-Based Congestion Control, 2000, G w = (p / w)^(1/alpha). Put b = norms * w and
q = 1 / alpha: C b = k b^(-q) with k = p^q norms^(q - 1), where 1/2 b^T C b - sum_k k b^(1 - q) / (1 - q), or its
limit with log b, is stationary. It is strictly convex and has a minimiser unless a convex combination of the
gradients is zero.
"""

import numpy as np

from equipoise.aggregation.solvers.min_norm import EPSILON, Array, min_norm

MOST_STEPS = 200


def fair(gramian: Array, alpha: float, preference: Array) -> tuple[Array, float]:
    """The positive w with gramian @ w = (preference / w)^(1 / alpha).

    A row that is exactly zero has nothing to share: the others share without it, and it keeps weight 1. Where
    a convex combination of the rows is zero, w points to the least norm in the convex hull of the unit rows.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        alpha: Positive; 1 is Nash's bargain.
        preference: [K], positive.

    Returns:
        w [K], and the largest error of an equation relative to its largest term; inf where there is no solution.

    >>> fair(np.diag([4.0, 0.25]), 1.0, np.ones(2))
    (array([0.5, 2. ]), 0.0)
    """
    norms = np.sqrt(gramian.diagonal())
    moving = norms > 0
    if not moving.all():
        weights = np.ones_like(norms)
        if moving.any():
            weights[moving], _ = fair(gramian[np.ix_(moving, moving)], alpha, preference[moving])
        return weights, np.inf
    cosines = gramian / norms[:, None] / norms
    lowest = min_norm(cosines)
    if lowest @ cosines @ lowest > len(norms) * EPSILON:
        power = 1 / alpha
        # the unit of each b_k is what it would be alone: b^(1 + q) = k
        units = (power * np.log(preference) + (power - 1) * np.log(norms)) / (1 + power)
        top = units.max()
        with np.errstate(over="ignore", invalid="ignore"):  # a share beyond the range of floats ends the search
            shares, residual = _share(cosines, np.exp(units - top), power)
        if residual < 1e-3:
            return np.asarray(shares * np.exp(units) / norms), residual
    return np.asarray(lowest / norms), np.inf


def _share(cosines: Array, units: Array, power: float) -> tuple[Array, float]:
    """Solve sum_j C_kj units_j y_j = units_k y_k^(-power) for y, and the error relative to the largest term.

    Each of Newton's steps is cut so that the curvature, which grows by (1 - r t)^(-1 - power) at most along a step t
    with the largest relative fall r, cannot make the slope of the objective positive: it never overshoots.
    """
    if len(cosines) == 2 and power == 1:
        shares = np.full(2, 1 / np.sqrt(1 + cosines[0, 1]))
        if units[0] == units[1]:
            return shares, _error(cosines, units, power, shares)
    matrix = cosines * units[:, None] * units  # symmetric: the equations times units
    squares = units * units
    shares = np.ones_like(units)
    shares *= ((squares @ shares) / max(shares @ matrix @ shares, EPSILON * squares.sum())) ** (1 / (1 + power))
    best, smallest = shares, _error(cosines, units, power, shares)
    for _ in range(MOST_STEPS):
        pull = squares * shares**-power
        # in y itself the system would be as badly scaled as y: divide rows and columns by the root of its diagonal
        root = np.sqrt(squares + power * pull / shares)
        curvature = matrix / root[:, None] / root
        np.fill_diagonal(curvature, 1.0)
        try:
            step = np.linalg.solve(curvature, (pull - matrix @ shares) / root) / root
        except np.linalg.LinAlgError:  # shares so large that only the cosines are left
            break
        change = step / shares
        fall = max(float(-change.min()), 0.0)
        length = min(-np.expm1(-np.log1p(power * fall) / power), 0.999) / fall if fall > 0 else 1.0
        shares = shares + length * step
        if not (np.isfinite(shares).all() and (shares > 0).all()):
            break
        error = _error(cosines, units, power, shares)
        if error < smallest:
            best, smallest = shares, error
        if error < 1e-14 or np.abs(change).max() < 1e-12:
            break
    return best, smallest


def _error(cosines: Array, units: Array, power: float, shares: Array) -> float:
    pushes = units * shares
    terms = np.abs(cosines * pushes).max(axis=1)
    return float((np.abs(cosines @ pushes - units * shares**-power) / terms).max())
