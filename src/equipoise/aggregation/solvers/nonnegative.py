"""The minimum of a convex quadratic over z >= 0: rows enter one by one, and leave where z would be negative.

Lawson & Hanson, Solving Least Squares Problems, 1974, chapter 23, algorithm NNLS, for whoever can give the gradient
and the minimum over some of the z with the others at zero.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from equipoise.aggregation.solvers.min_norm import EPSILON, Array

Minimum = Callable[[npt.NDArray[np.intp]], Array]  # rows [S] -> the z [S] of any sign


def nonnegative(start: Array, descent: Callable[[Array], Array], minimum: Minimum) -> Array:
    """The z >= 0 of least quadratic, after at most 10 rows entering for each row there is.

    Args:
        start: A z [K] >= 0; the nearer, the quicker.
        descent: z [K] -> minus the gradient there [K].
        minimum: The minimum over some of the z.
    """
    size = len(start)
    shares = _descend(minimum, start, None) if start.any() else start
    for _ in range(10 * size):
        gains = np.where(shares > 0, 0.0, descent(shares))
        entering = int(gains.argmax())
        if gains[entering] <= 4 * EPSILON * size * (1 + shares.sum()):
            break
        moved = _descend(minimum, shares, entering)
        if moved is shares:
            break
        shares = moved
    return shares


def _descend(minimum: Minimum, shares: Array, entering: int | None) -> Array:
    """Go to the minimum over the active rows; the shares as they were if rounding lets the one that enters not rise."""
    here, active = shares, shares > 0
    if entering is not None:
        active[entering] = True
    while True:
        rows = np.flatnonzero(active)
        there = minimum(rows)
        if entering is not None and here is shares and there[rows == entering][0] <= 0:
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
