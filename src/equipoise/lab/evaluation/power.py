"""How many seeds would settle it: the power of a paired t-test."""

from math import sqrt

import numpy as np
from scipy.special import chdtri, ndtr, stdtrit

from equipoise.lab.evaluation.statistics import LEVEL

POWER = 0.8  # of studies that find what is there
MOST_SEEDS = 1000
QUANTILES = (np.arange(2000) + 0.5) / 2000


def power(effect: float, n: int, level: float = LEVEL) -> float:
    """P(|T| > t(1 - level/2, n - 1)), T noncentral t with n - 1 degrees of freedom, noncentrality effect · sqrt(n).

    To 1e-4, as the mean over 2,000 quantiles of the estimated standard deviation of the normal tails given it:
    scipy's noncentral t is NaN in its far tail.

    Args:
        effect: the true mean difference over the standard deviation of the differences.
        n: pairs, at least 2.
        level: of the two-sided test.

    >>> round(power(1.0, 5), 3), round(power(0.0, 5), 3)
    (0.401, 0.05)
    """
    bound = float(stdtrit(n - 1, 1 - level / 2))
    shift = abs(effect) * sqrt(n)
    reach = bound * np.sqrt(chdtri(n - 1, QUANTILES) / (n - 1))
    return float(np.mean(ndtr(shift - reach) + ndtr(-shift - reach)))


def seeds_to_show(effect: float, level: float = LEVEL) -> int | None:
    """The fewest seeds with which 8 of 10 studies would find an effect; None where 1,000 are not enough.

    >>> seeds_to_show(1.0), seeds_to_show(0.01)
    (10, None)
    """
    low, high = 1, 2
    while power(effect, high, level) < POWER:
        low, high = high, 2 * high
        if low >= MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, middle, level) >= POWER else (middle, high)
    return high if high <= MOST_SEEDS else None
