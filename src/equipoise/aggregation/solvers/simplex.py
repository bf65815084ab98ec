"""The nearest point of the probability simplex.

Duchi et al., Efficient Projections onto the l1-Ball for Learning in High Dimensions, ICML 2008, figure 1.
"""

import numpy as np

from equipoise.aggregation.solvers.min_norm import Array


def nearest_in_simplex(point: Array) -> Array:
    """The w with no negative entry and sum 1 that minimises |w - point|: max(point - t, 0) for one t.

    >>> nearest_in_simplex(np.array([0.25, 1.0, -3.0]))
    array([0.125, 0.875, 0.   ])
    """
    lowered = point - point.max()  # the simplex does not care, and large numbers cancel here
    ordered = np.sort(lowered)[::-1]
    levels = (ordered.cumsum() - 1) / np.arange(1, len(point) + 1)  # t if so many of the largest stay positive
    return np.asarray(np.maximum(lowered - levels[ordered > levels][-1], 0.0))
