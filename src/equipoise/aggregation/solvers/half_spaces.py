"""The shortest step into the half-spaces of K unit rows, from their cosines alone, for many heights at once.

Minimise 1/2 |v|^2 subject to u_k . v >= h_k. The step is v = sum_k m_k u_k with m >= 0, C m >= h and
m . (C m - h) = 0 for the cosines C. Block principal pivoting guesses which m_k are positive, solves, and exchanges
every one whose sign is wrong (Kim & Park, Fast Nonnegative Matrix Factorization, SIAM J. Sci. Comput. 2011). It may
fail on dependent rows, where Lawson & Hanson's least distance programming (Solving Least Squares Problems, 1974,
chapter 23) takes over: m is proportional to the z >= 0 of least |sum_k z_k u_k|^2 + (1 - h . z)^2.
"""

import numpy as np
import numpy.typing as npt

from equipoise.aggregation.solvers.min_norm import Array

Mask = npt.NDArray[np.bool_]

EPSILON = float(np.finfo(np.float64).eps)
ROUNDS = 12  # of exchanges; who needs more is likely to cycle
SOLVED = 1e-12  # a residual that needs no second attempt
REMOTE = 1e-12  # (largest height / length)^2 of a step that is too long for a gramian to tell from infinite
MARGIN = 1e-6  # heights of a combination of rows that is zero must sum to more, to prove that they exclude each other
DEFINITE = 1e-8  # a least eigenvalue that leaves every system of free rows well conditioned
SLIGHT = 1e-10
RIDGES = (1e-14, 1e-11, 1e-8)  # the last ones for rows whose dependence is hidden by the gramian's rounding
FEW = 12  # up to here masked systems cost less than selected ones


def shortest_step(cosines: Array, heights: Array) -> tuple[Array, float]:
    """The m >= 0 with cosines @ m >= heights, zero wherever this is strict.

    Args:
        cosines: [K, K], float64, positive semidefinite, 1 on the diagonal.
        heights: [K], finite.

    Returns:
        m [K], and the largest violation of these conditions relative to the largest height. It is inf where no
        step reaches all half-spaces; m then proves it, for sum_k m_k u_k is zero to rounding, and m . h positive.

    >>> shortest_step(np.array([[1.0, -0.5], [-0.5, 1.0]]), np.array([0.5, -1.0]))
    (array([0.5, 0. ]), 0.0)
    """
    scale = float(heights.max(initial=0.0))
    step = np.zeros_like(heights)
    if scale <= 0:
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
    step, residual = _safe(cosines, heights, np.maximum(step, 0.0))
    return scale * step, residual


def shortest_steps(cosines: Array, heights: Array) -> tuple[Array, float]:
    """``shortest_step`` for each row of heights [R, K], all at once: m [R, K], and the largest residual."""
    scale = heights.max(axis=1, keepdims=True)
    scale[scale <= 0] = 1.0
    heights = heights / scale
    unit = np.eye(len(cosines))
    try:
        np.linalg.cholesky(cosines - DEFINITE * unit)
        steps = np.maximum(_pivot(cosines, heights), 0.0)
    except np.linalg.LinAlgError:  # nearly dependent rows: solve with a ridge, and again with its pull made good
        ridged = cosines + SLIGHT * unit
        steps = np.maximum(_pivot(ridged, heights), 0.0)
        steps = np.maximum(_solve(ridged, heights + SLIGHT * steps, steps > 0), 0.0)
    slacks = steps @ cosines - heights
    residuals = np.maximum(-slacks, np.abs(steps * slacks)).max(axis=1)
    for row in np.flatnonzero(~(residuals <= SOLVED)):
        steps[row], residuals[row] = _safe(cosines, heights[row], steps[row])
    return scale * steps, float(residuals.max())


def _residual(cosines: Array, heights: Array, step: Array) -> float:
    slack = cosines @ step - heights
    return float(np.maximum(-slack, np.abs(step * slack)).max())


def _noise(steps: Array) -> float:
    """What rounding may make of a slack of zero."""
    return float(4 * EPSILON * steps.shape[-1] * (1 + np.abs(steps).sum(axis=-1).max()))


def _safe(cosines: Array, heights: Array, step: Array) -> tuple[Array, float]:
    """The step if it solves the problem, else the best that least distance programming finds; and its residual."""
    residual = _residual(cosines, heights, step)
    for ridge in RIDGES:
        if residual <= SOLVED:
            break
        candidate, is_remote = _least_distance(cosines, heights, ridge)
        if is_remote:
            return candidate, np.inf
        left = _residual(cosines, heights, candidate)
        if not residual <= left:
            step, residual = candidate, left
    return step, residual


def _pivot(cosines: Array, heights: Array) -> Array:
    """The rounds of ``shortest_step`` for many rows of heights; a row that is done drops out."""
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


def _least_distance(cosines: Array, heights: Array, ridge: float) -> tuple[Array, bool]:
    """The m of the step, and whether no step, or only a remote one, reaches all half-spaces."""
    lengths = np.sqrt(1 + heights**2)  # of the lifted rows (u_k, h_k)
    matrix = (cosines + heights[:, None] * heights) / lengths[:, None] / lengths + ridge * np.eye(len(heights))
    shares = _nonnegative(matrix, heights / lengths) / lengths
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
        if _residual(cosines, heights, refined) < _residual(cosines, heights, steps):
            return refined, False
    return steps, False


def _nonnegative(matrix: Array, target: Array) -> Array:
    """The z >= 0 of least 1/2 z^T matrix z - target . z: rows enter one by one, and leave where z would be negative."""
    shares = np.zeros_like(target)
    for _ in range(10 * len(target)):
        gains = np.where(shares > 0, 0.0, target - matrix @ shares)
        entering = int(gains.argmax())
        moved = _minimise(matrix, target, shares, entering)
        if gains[entering] <= 4 * EPSILON * len(target) * (1 + shares.sum()) or moved is shares:
            break
        shares = moved
    return shares


def _minimise(matrix: Array, target: Array, shares: Array, entering: int) -> Array:
    """Go to the minimum over the active rows; the shares as they were if rounding lets the one that enters not rise."""
    here, active = shares, shares > 0
    active[entering] = True
    while True:
        rows = np.flatnonzero(active)
        there = np.linalg.solve(matrix[rows[:, None], rows], target[rows])  # the ridge makes it definite
        if here is shares and there[rows == entering][0] <= 0:
            return shares
        falling = there <= 0
        moved = np.zeros_like(shares)
        if not falling.any():
            moved[rows] = there
            return moved
        steps = np.where(falling, here[rows] / np.where(falling, here[rows] - there, 1.0), np.inf)
        moved[rows] = np.maximum(here[rows] + steps.min() * (there - here[rows]), 0.0)
        moved[rows[steps.argmin()]] = 0.0
        here, active = moved, moved > 0
