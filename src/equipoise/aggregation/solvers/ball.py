"""The step in the unit ball that serves the worst-served of K rows best, from their gramian alone.

Maximise over |v| <= 1 the least of a_k + radius g_k . v; the dual is to minimise over the simplex
F(w) = a . w + radius |sum_k w_k g_k| (Liu et al., Conflict-Averse Gradient Descent, NeurIPS 2021). For the rows
that bind at the optimum all is linear but one quadratic equation for their common value t, so block pivoting finds
them; where it does not, t = F(w) falls to the optimum as w follows from the shortest step that serves all with t,
which is Newton's method on the convex, piecewise smooth |v(t)|.
"""

import numpy as np

from equipoise.aggregation.solvers.least_distance import shortest_step
from equipoise.aggregation.solvers.min_norm import EPSILON, Array, min_norm


def best_step(gramian: Array, gains: Array, radius: float) -> tuple[Array, float]:
    """The weights m >= 0 of the step v = sum_k m_k g_k, the shortest if there are several.

    Its length is 1, or less where the w of least F(w) has sum_k w_k g_k = 0.

    Args:
        gramian: [K, K], float64, positive semidefinite, finite.
        gains: [K], what each row has at v = 0.
        radius: Not negative; at 0 the step is zero.

    Returns:
        m [K], and the gap between F and the least gain, relative to the largest of radius |g_k| and |a_k|; or by how
        much |v|^2 exceeds 1, times radius^2 over the largest |g_k|^2.

    >>> best_step(np.diag([1.0, 4.0]), np.zeros(2), 1.0)[0].round(6)  # -> (0.894427, 2 * 0.223607) in units of rows
    array([0.894427, 0.223607])
    """
    norms = np.sqrt(gramian.diagonal())
    moving = np.flatnonzero(norms > 0)
    if radius <= 0 or not len(moving):
        return np.zeros_like(norms), 0.0
    if len(norms) == 2 == len(moving) and (answer := _of_two(gramian, gains, radius)) is not None:
        reach = (gains @ answer + radius) / answer.sum()
        return answer, _gap(gramian, gains, radius, answer, reach)
    ceiling = np.inf if len(moving) == len(norms) else gains[norms == 0].min()
    steps = np.zeros_like(norms)
    norms = norms[moving]
    least = norms.min()
    inverse = least / norms  # the constraints of unit rows u_k are u_k . v >= t r_k - h_k, with t in units of `unit`
    unit = radius * least
    heights = gains[moving] / (radius * norms)
    cosines = gramian[np.ix_(moving, moving)] / norms[:, None] / norms
    found, value = _pivot(cosines, inverse, heights)
    steps[moving] = found / norms
    if value < ceiling / unit and _shortfall(cosines, inverse, heights, found, value) <= 1e-13:
        return steps, _gap(gramian, gains, radius, steps, unit * value)
    other = np.zeros_like(steps)
    there, level = _descend(cosines, norms / least, inverse, heights, ceiling / unit)
    other[moving] = there / norms
    gap = _gap(gramian, gains, radius, other, unit * level)
    if gap > 1e-10 and _shortfall(cosines, inverse, heights, found, value) < np.inf:  # rounding: take the lesser evil
        steps /= max(_length(cosines, found), 1.0)
        if (left := _gap(gramian, gains, radius, steps, unit * level)) < gap:
            return steps, left
    return other, gap


def mean_norm(gramian: Array) -> float:
    """|g_0| of the mean row g_0, or zero where that is all that rounding leaves of it."""
    square = float(gramian.mean())
    noise = len(gramian) * EPSILON * float(np.sqrt(gramian.diagonal()).mean()) ** 2
    return float(np.sqrt(square)) if square > noise else 0.0


def _gap(gramian: Array, gains: Array, radius: float, steps: Array, reach: float) -> float:
    """What F allows, less what the worst-served row gets, or by how much the step leaves the ball."""
    slopes = gramian @ steps
    missed = abs(reach - (gains + radius * slopes).min()) / max(
        radius * np.sqrt(gramian.diagonal().max()), np.abs(gains).max()
    )
    beyond = radius**2 * (steps @ slopes - 1) / gramian.diagonal().max()
    return float(max(missed, beyond))


def _of_two(gramian: Array, gains: Array, radius: float) -> Array | None:
    """F along the segment is linear plus radius times a distance; None where its line runs through zero."""
    (a, c), (_, b) = gramian.tolist()
    square = a + b - 2 * c  # |g_0 - g_1|^2
    area = a * b - c * c
    if not (square > 0 and area > 8 * EPSILON * a * b):
        return None
    sine = float(gains[1] - gains[0]) / (radius * np.sqrt(square))
    shift = sine * np.sqrt(area / (1 - sine * sine)) if abs(sine) < 1 else np.copysign(np.inf, sine)
    share = np.array([b - c + shift, a - c - shift])
    share = np.eye(2)[int(share[0] <= 0)] if share.min() <= 0 else share / share.max()
    return np.asarray(share / np.sqrt(share @ gramian @ share))


def _shortfall(cosines: Array, inverse: Array, heights: Array, steps: Array, value: float) -> float:
    """By how much the step misses the value, or the ball; inf where it is not a combination with m >= 0."""
    if not np.isfinite(value) or (steps < 0).any() or steps.sum() ** 2 * EPSILON * len(steps) > 1e-2:
        return np.inf  # also where rounding alone decides on the length
    slopes = cosines @ steps
    gap = (value * inverse - heights - slopes).max()
    return float(max(gap, abs(steps @ slopes - 1)))


def _pivot(cosines: Array, inverse: Array, heights: Array) -> tuple[Array, float]:
    """Guess the binding rows, solve for their m and t, and exchange every row whose sign is wrong."""
    steps, value = np.zeros_like(heights), np.nan
    tops = (1 + heights) / inverse  # the best for one row alone; the worst-served one gets no more
    worst = int(tops.argmin())
    binding = tops[worst] * inverse - heights > cosines[worst]
    binding[worst] = True
    for _ in range(12):
        rows = np.flatnonzero(binding)
        sides = np.column_stack([inverse[rows], heights[rows]])
        try:
            raised, lowered = np.linalg.solve(cosines[rows[:, None], rows], sides).T
        except np.linalg.LinAlgError:  # dependent rows
            break
        # 1 = |v|^2 = t^2 r.x - 2 t r.y + h.y
        square, cross, rest = raised @ sides[:, 0], lowered @ sides[:, 0], lowered @ sides[:, 1] - 1
        if not square > 0:
            break
        value = (cross + np.sqrt(max(cross * cross - square * rest, 0.0))) / square
        steps[:] = 0.0
        steps[rows] = value * raised - lowered
        short = value * inverse - heights - cosines[:, rows] @ steps[rows]
        wrong = np.where(binding, steps <= 0, short > 4 * EPSILON * len(heights) * (1 + np.abs(steps).sum()))
        if not wrong.any():
            break
        binding = binding ^ wrong
        if not binding.any():
            break
    return steps, float(value)


def _descend(cosines: Array, norms: Array, inverse: Array, heights: Array, ceiling: float) -> tuple[Array, float]:
    """From above to the largest t that a step in the ball gives to all."""

    def value_of(steps: Array) -> float:
        return float((heights @ steps + _length(cosines, steps)) / (inverse @ steps))

    lowest = min_norm(cosines * norms[:, None] * norms) * norms
    value = min(ceiling, float(((1 + heights) / inverse).min()), value_of(lowest))
    steps = np.zeros_like(heights)
    for _ in range(100):
        due = value * inverse - heights
        moved, residual = shortest_step(cosines, due, float(due.max()))
        if not moved.any():  # all are served at v = 0
            return moved, value
        lower = value_of(moved)
        length = _length(cosines, moved)
        if np.isfinite(residual):
            steps = moved if length <= 1 else moved / length
            if length <= 1 + 4 * EPSILON * len(norms):
                break
        if not lower < value - 4 * EPSILON * (abs(value) + 1):
            break
        value = lower
    return steps, value


def _length(gramian: Array, steps: Array) -> float:
    """|sum_k m_k g_k|, or zero where that is all that rounding leaves of it."""
    square = float(steps @ gramian @ steps)
    noise = len(steps) * EPSILON * float(steps @ np.sqrt(gramian.diagonal())) ** 2
    return float(np.sqrt(square)) if square > noise else 0.0
