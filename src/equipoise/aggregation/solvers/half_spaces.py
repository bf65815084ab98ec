"""The shortest step into the half-spaces of K unit rows, from their cosines alone, for many heights at once.

Minimise 1/2 |v|^2 subject to u_k . v >= h_k. The step is v = sum_k m_k u_k with m >= 0, C m >= h and
m . (C m - h) = 0 for the cosines C. Block principal pivoting guesses which m_k are positive, solves, and exchanges
every one whose sign is wrong (Kim & Park, Fast Nonnegative Matrix Factorization, SIAM J. Sci. Comput. 2011). It may
fail on dependent rows, which the residual tells.
"""

import numpy as np
import numpy.typing as npt

from equipoise.aggregation.solvers.min_norm import EPSILON, Array

Mask = npt.NDArray[np.bool_]

ROUNDS = 12  # of exchanges; a problem that needs more is likely to cycle
SOLVED = 1e-12  # a residual that needs no second attempt
DEFINITE = 1e-8  # a least eigenvalue that leaves every system of free rows well conditioned
SLIGHT = 1e-10  # a ridge for nearly dependent rows
FEW = 12  # rows up to which K x K systems with a mask cost less than smaller ones of the free rows


def by_pivoting(cosines: Array, heights: Array, scale: float) -> tuple[Array, float]:
    """The m >= 0 with cosines @ m >= heights, zero wherever this is strict.

    Args:
        cosines: [K, K], float64, positive semidefinite, 1 on the diagonal.
        heights: [K], finite.
        scale: Of the numbers that the heights are differences of, and so of their rounding; positive.

    Returns:
        m [K], and the largest violation of these conditions relative to the scale.
    """
    step = np.zeros_like(heights)
    if not (heights > 0).any():
        return step, 0.0
    heights = heights / scale
    free = heights > 0
    for _ in range(ROUNDS):
        rows = np.flatnonzero(free)
        try:
            found = np.linalg.solve(cosines[rows[:, None], rows], heights[rows])
        except np.linalg.LinAlgError:  # dependent rows
            break
        step = np.zeros_like(heights)
        step[rows] = found
        wrong = np.where(free, step <= 0, cosines @ step - heights < -_noise(step))
        if not wrong.any():
            break
        free = free ^ wrong
    step = np.maximum(step, 0.0)
    return scale * step, violation(cosines, heights, step)


def all_by_pivoting(cosines: Array, heights: Array, scales: Array) -> tuple[Array, Array]:
    """``by_pivoting`` for each row of heights [R, K] and its scale [R], all at once: m [R, K], residuals [R]."""
    heights = heights / scales[:, None]
    unit = np.eye(len(cosines))
    try:
        np.linalg.cholesky(cosines - DEFINITE * unit)
        steps = np.maximum(_pivot(cosines, heights), 0.0)
    except np.linalg.LinAlgError:  # nearly dependent rows: solve with a ridge, and again with its pull made good
        ridged = cosines + SLIGHT * unit
        steps = np.maximum(_pivot(ridged, heights), 0.0)
        steps = np.maximum(_solve(ridged, heights + SLIGHT * steps, steps > 0), 0.0)
    slacks = steps @ cosines - heights
    return scales[:, None] * steps, np.maximum(-slacks, np.abs(steps * slacks)).max(axis=1)


def violation(cosines: Array, heights: Array, step: Array) -> float:
    """The largest violation of the conditions on m = step, which is not negative."""
    slack = cosines @ step - heights
    return float(np.maximum(-slack, np.abs(step * slack)).max())


def _noise(steps: Array) -> float:
    """The largest absolute value that rounding may give a slack that is zero."""
    return float(4 * EPSILON * steps.shape[-1] * (1 + np.abs(steps).sum(axis=-1).max()))


def _pivot(cosines: Array, heights: Array) -> Array:
    """The rounds of ``by_pivoting`` for heights [R, K]: m [R, K]; rows of heights that are solved are left alone."""
    steps = np.zeros_like(heights)
    free = heights > 0
    active = np.flatnonzero(free.any(axis=1))
    heights, free = heights[active], free[active]
    for _ in range(ROUNDS if len(active) else 0):
        found = _solve(cosines, heights, free)
        steps[active] = found
        wrong = np.where(free, found <= 0, found @ cosines - heights < -_noise(found))
        going = wrong.any(axis=1)
        if not going.any():
            break
        active, heights, free = active[going], heights[going], (free ^ wrong)[going]
    return steps


def _solve(cosines: Array, heights: Array, free: Mask) -> Array:
    """In each row, m with (cosines m)_k = heights_k where k is free, and m_k = 0 elsewhere."""
    if len(cosines) <= FEW:
        systems = np.where(free[:, :, None] & free[:, None, :], cosines, np.eye(len(cosines)))
        return np.asarray(np.linalg.solve(systems, np.where(free, heights, 0.0)[:, :, None])[:, :, 0])
    # systems of the free rows alone, filled up to equal size with rows of the identity
    count, sizes = len(cosines), free.sum(axis=1)
    most = int(sizes.max())
    padded = np.eye(count + most)
    padded[:count, :count] = cosines
    chosen = np.argsort(~free, axis=1, kind="stable")[:, :most]  # the free ones first
    places = np.arange(most)
    chosen = np.where(places < sizes[:, None], chosen, count + places)
    systems = padded.ravel()[chosen[:, :, None] * len(padded) + chosen[:, None, :]]
    steps = np.zeros((len(heights), len(padded)))
    steps[:, :count] = heights
    sides = np.take_along_axis(steps, chosen, axis=1)
    steps[:] = 0.0
    np.put_along_axis(steps, chosen, np.linalg.solve(systems, sides[:, :, None])[:, :, 0], axis=1)
    return steps[:, :count]
