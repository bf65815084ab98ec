"""The best partition of numbers into groups: k-means on a line, solved exactly.

Wang & Song, Ckmeans.1d.dp: Optimal k-means Clustering in One Dimension by Dynamic Programming, The R Journal
2011: groups of an optimal partition are intervals of the sorted numbers.
"""

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def clusters(values: Array, number: int) -> tuple[Array, float]:
    """The centre of every value's group, in the partition of least sum of squared distances to the centres.

    Args:
        values: [K], float64, finite.
        number: How many groups, at most; at least 1.

    Returns:
        Centres [K], the mean of each value's group; and the sum of squares.

    >>> clusters(np.array([1.0, 9.0, 2.0]), 2)
    (array([1.5, 9. , 1.5]), 0.5)
    """
    size = len(values)
    order = values.argsort(kind="stable")
    ordered = values[order] / (np.abs(values).max(initial=0.0) or 1.0)  # squares neither under- nor overflow
    # n times a group's sum of squares is the sum over its pairs: no differences of large sums
    pairs = np.triu((ordered[None, :] - ordered[:, None]) ** 2)
    within = pairs[::-1].cumsum(axis=0)[::-1].cumsum(axis=1)
    sizes = np.arange(1, size + 1)[None, :] - np.arange(size)[:, None]
    cost = np.full((size + 1, size + 1), np.inf)  # [i, j]: of the group of ordered[i:j]
    cost[:-1, 1:] = np.where(sizes > 0, within / np.maximum(sizes, 1), np.inf)
    best, cuts = cost[0], []
    for _ in range(min(number, size) - 1):
        through = best[:, None] + cost  # [i, j]: the last group is ordered[i:j]
        cuts.append(through.argmin(axis=0))
        best = through.min(axis=0)
    centres, end = np.empty(size), size
    for cut in [*reversed(cuts), np.zeros(size + 1, dtype=np.intp)]:
        start = int(cut[end])
        centres[order[start:end]] = values[order[start:end]].mean()
        end = start
    return centres, float(((values - centres) ** 2).sum())
