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
    order = sorted(range(size), key=values.__getitem__)
    scale = float(np.abs(values).max(initial=0.0)) or 1.0  # squares neither under- nor overflow
    ordered = [float(values[k]) / scale for k in order]
    cost = [_costs(ordered[start:]) for start in range(size)]  # [i][n]: of the n values from the i-th on
    best, cuts = [0.0, *cost[0][1:]] if size else [0.0], []
    for _ in range(min(number, size) - 1):
        last = [
            min((best[i] + cost[i][end - i], i) for i in range(end)) if end else (0.0, 0) for end in range(size + 1)
        ]
        best = [least for least, _ in last]
        cuts.append([start for _, start in last])
    centres, end = np.empty(size), size
    for cut in [*reversed(cuts), [0] * (size + 1)]:
        start = cut[end]
        if start < end:
            centres[order[start:end]] = values[order[start:end]].mean()
        end = start
    return centres, float(((values - centres) ** 2).sum())


def _costs(values: list[float]) -> list[float]:
    """The sum of squared distances to their mean of the first n of the values, n from 0 on: Welford's recursion."""
    mean, squares, costs = 0.0, 0.0, [0.0]
    for number, value in enumerate(values, start=1):
        step = value - mean
        mean += step / number
        squares += step * (value - mean)
        costs.append(squares)
    return costs
