"""The point of least norm in the convex hull of K rows, from their gramian alone.

Wolfe, Finding the Nearest Point in a Polytope, Mathematical Programming 1976, an active-set method: a row enters while
one of them shortens the point, and leaves when its weight reaches zero on the way to the minimiser over the affine hull
of the active rows. It works on the correlation matrix, cosines [K, K], and on norms [K] relative to the largest, so
that rows of very different norms lose no digits.
"""

from collections.abc import Callable, Sequence
from math import sqrt
from operator import mul

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
EPSILON = float(np.finfo(np.float64).eps)
_FEW = 8  # rows up to which plain numbers take less time than arrays
_CLEARLY_INDEPENDENT = 1e-3  # determinant of three rows' cosines
# indices of rows [S] -> weights [S] of sum 1, of any sign: the point of least norm in the rows' affine hull; NaN where
# the rows are affinely dependent
AffineMinimiser = Callable[[npt.NDArray[np.intp]], Array]


def min_norm(gramian: Array) -> Array:
    """The w of the simplex with the least w @ gramian @ w, to the rounding of the gramian.

    Rows that are exactly zero share the weight in equal parts.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.

    Returns:
        Weights [K], none negative, of sum 1; unique only if the rows are affinely independent.

    >>> min_norm(np.array([[18.0, -22.0], [-22.0, 38.0]]))  # rows (-4, 1, 1) and (6, 1, 1)
    array([0.6, 0.4])
    """
    few = {2: _of_two, 3: _of_three}.get(len(gramian))
    if few is not None and (found := few(gramian.tolist())) is not None:
        return np.array(found)
    norms = np.sqrt(np.maximum(gramian.diagonal(), 0.0))
    zero = norms == 0
    if zero.any():
        return np.asarray(zero / zero.sum())
    cosines = gramian / norms[:, None] / norms
    norms = norms / norms.max()
    weights = _active_set(cosines, norms, _affine_by_gramian(cosines, norms))
    if _entering(cosines, norms, weights) is not None:  # rows so nearly dependent that the gramian hides it
        weights = _active_set(cosines, norms, _affine_by_rows(cosines, norms))
    return weights


def duality_gap(gramian: Array, weights: Array) -> float:
    """(w @ G @ w - min_k (G w)_k) / trace of G, at least 0: Frank and Wolfe's gap of w in the simplex; 0 for G = 0.

    Args:
        gramian: G [K, K].
        weights: w [K].
    """
    if len(gramian) > _FEW:
        along, size = gramian @ weights, float(gramian.trace())
        return max(float(weights @ along - along.min()), 0.0) / size if size > 0 else 0.0
    rows, point = gramian.tolist(), weights.tolist()
    slopes = [sum(map(mul, row, point)) for row in rows]
    trace = sum(row[k] for k, row in enumerate(rows))
    return max(sum(map(mul, point, slopes)) - min(slopes), 0.0) / trace if trace > 0 else 0.0


# In plain numbers where rows are few: the first call of each of a solver's functions after a backward pass takes many
# times as long as the next.


def _of_two(gramian: Sequence[Sequence[float]]) -> list[float]:
    """w_0 = clip((g_1 - g_0) . g_1 / |g_1 - g_0|^2, 0, 1): Sener & Koltun, NeurIPS 2018, eq. (4)."""
    (a, c), (_, b) = gramian
    if a == 0 or b == 0:
        return [0.5, 0.5] if a == b else [float(a == 0), float(b == 0)]
    largest = max(a, b)
    a, b, c = a / largest, b / largest, c / largest
    first, second = max(b - c, 0.0), max(a - c, 0.0)  # differences of near numbers are exact
    total = first + second
    return [first / total, second / total] if total > 0 else [0.5, 0.5]


def _of_three(gramian: Sequence[Sequence[float]]) -> list[float] | None:
    """The minimiser over the plane if it lies inside, else the best over a side; ``None`` if they are nearly dependent.

    Over the plane w ~ r adj(C) r, r the inverse norms and C the cosines.
    """
    norms = [sqrt(row[k]) for k, row in enumerate(gramian)]
    if min(norms) == 0:
        return None
    (a, b, c) = (gramian[i][j] / norms[i] / norms[j] for i, j in ((1, 2), (0, 2), (0, 1)))
    if not 1 + 2 * a * b * c - a * a - b * b - c * c > _CLEARLY_INDEPENDENT:
        return None
    adjugate = ((1 - a * a, a * b - c, a * c - b), (a * b - c, 1 - b * b, b * c - a), (a * c - b, b * c - a, 1 - c * c))
    inverse = [min(norms) / norm for norm in norms]
    inside = [r * sum(map(mul, row, inverse)) for r, row in zip(inverse, adjugate, strict=True)]
    if min(inside) > 0:
        return [weight / sum(inside) for weight in inside]
    sides = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        weights = [0.0] * 3
        weights[i], weights[j] = _of_two([[gramian[i][i], gramian[i][j]], [gramian[i][j], gramian[j][j]]])
        slopes = [sum(map(mul, row, weights)) for row in gramian]
        sides.append((sum(map(mul, weights, slopes)), weights))
    return min(sides)[1]


def _affine_by_gramian(cosines: Array, norms: Array) -> AffineMinimiser:
    """Solve G w = constant, sum w = 1: with r = 1 / norms, (cosines + r r^T) u = r and w ~ r u."""

    def affine(rows: npt.NDArray[np.intp]) -> Array:
        inverse = norms[rows].min() / norms[rows]
        try:
            solution = np.linalg.solve(cosines[np.ix_(rows, rows)] + inverse[:, None] * inverse, inverse)
        except np.linalg.LinAlgError:  # affinely dependent rows
            return np.full(len(rows), np.nan)
        total = inverse @ solution  # from 1/2 to 1, but for rounding
        return np.asarray(inverse * solution / total) if total > 0 else np.full(len(rows), np.nan)

    return affine


def _affine_by_rows(cosines: Array, norms: Array) -> AffineMinimiser:
    """The same u as the least squares of |A^T u - e_0| for A = [r, rows]: twice the digits, more work."""
    values, vectors = np.linalg.eigh(cosines)
    units = vectors * np.sqrt(np.maximum(values, 0.0))

    def affine(rows: npt.NDArray[np.intp]) -> Array:
        inverse = norms[rows].min() / norms[rows]
        lifted = np.column_stack([inverse, units[rows]])
        solution = np.linalg.lstsq(lifted.T, np.eye(lifted.shape[1])[0], rcond=None)[0]
        return np.asarray(inverse * solution / (inverse @ solution))

    return affine


def _entering(cosines: Array, norms: Array, weights: Array) -> int | None:
    """The index of the row that shortens the point most, or None where every gain is below the gramian's rounding."""
    scaled = norms * weights
    slopes = cosines @ scaled
    gains = (scaled @ slopes - norms * slopes) / (norms + scaled.sum())
    row = int(gains.argmax())
    return row if gains[row] > len(norms) * EPSILON * scaled.sum() else None


def _active_set(cosines: Array, norms: Array, affine: AffineMinimiser) -> Array:
    """Wolfe's method; it ends because no set of active rows, which he calls a corral, comes twice."""
    weights = _start(norms, affine)
    visited = set()
    while (row := _entering(cosines, norms, weights)) is not None:
        active = weights > 0
        active[row] = True
        weights = _minimise(weights, active, affine)
        corral = (weights > 0).tobytes()
        if corral in visited:  # only rounding brings one back
            break
        visited.add(corral)
    return weights


def _start(norms: Array, affine: AffineMinimiser) -> Array:
    """The affine minimiser of all rows; while weights are not positive, that of the rows with positive ones."""
    weights = np.zeros_like(norms)
    rows = np.arange(len(norms))
    while len(rows):
        candidate = affine(rows)
        positive = candidate > 0
        if positive.all():
            weights[rows] = candidate
            return weights
        rows = rows[positive]
    weights[norms.argmin()] = 1.0  # the rows are affinely dependent
    return weights


def _minimise(weights: Array, active: npt.NDArray[np.bool_], affine: AffineMinimiser) -> Array:
    """Go to the active rows' affine minimiser; a row whose weight reaches zero on the way leaves.

    Stops on the way where the rows left are affinely dependent.
    """
    while True:
        rows = np.flatnonzero(active)
        here, there = weights[rows], affine(rows)
        if np.isnan(there).any():
            return weights
        falling = there <= 0
        moved = np.zeros_like(weights)
        if not falling.any():
            moved[rows] = there
            return moved
        steps = np.where(falling, here / np.where(here > there, here - there, 1.0), np.inf)
        moved[rows] = np.maximum(here + steps.min() * (there - here), 0.0)
        moved[rows[steps.argmin()]] = 0.0
        weights, active = moved, moved > 0
