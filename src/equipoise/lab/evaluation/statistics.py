"""Is a difference over a few seeds more than chance, and how many seeds would show it? Paired t, Holm, power, ranks.

Of ranks: Friedman, The use of ranks to avoid the assumption of normality, 1937; Nemenyi, 1963; both as in Demšar,
Statistical Comparisons of Classifiers over Multiple Data Sets, JMLR 2006, section 3.2.2, with the correction for ties.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, sqrt
from typing import Literal

import numpy as np
from scipy.special import chdtrc, chdtri, ndtr, stdtr, stdtrit
from scipy.stats import rankdata, studentized_range

Verdict = Literal["better", "worse", "no significant difference", "no verdict"]

LEVEL = 0.05
FEWEST = 3  # pairs of runs: the spread of two is unknown to a factor of thirty
ROUNDING = 1e-9  # differences that agree to this relative size differ by rounding only
SINGLE = 1e-6  # as do those of numbers in single precision, relative to the numbers
POWER = 0.8  # of studies that find what is there
MOST_SEEDS = 1000
QUANTILES = (np.arange(2000) + 0.5) / 2000


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval and two-sided p-value; NaN where n values cannot tell."""

    mean: float
    low: float
    high: float
    p_value: float
    n: int

    @property
    def half_width(self) -> float:
        """Half the length of the interval."""
        return (self.high - self.low) / 2


def paired_t(differences: Sequence[float], size: float = 0.0) -> Interval:
    """Mean ± t(0.975, n - 1) s / sqrt(n) of paired differences, with the p-value of mean = 0.

    One difference has no interval. Differences that are all equal show no spread to measure by and
    have none either, unless all are zero: then both sides are the same thing, [0, 0] with p = 1.

    Args:
        differences: finite, one for each pair.
        size: of the numbers that they are differences of, where those are metrics in single precision.

    Raises:
        ValueError: a difference is not finite.

    >>> paired_t([1.0, 2.0, 3.0])
    Interval(mean=2.0, low=-0.484..., high=4.484..., p_value=0.074..., n=3)
    """
    values = np.asarray(differences, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"differences must be finite, got {list(differences)}: leave such pairs out and say so")
    n = len(values)
    if n == 0:
        return Interval(float("nan"), float("nan"), float("nan"), float("nan"), 0)
    mean = float(values.mean())
    if n > 1 and not values.any():
        return Interval(0.0, 0.0, 0.0, 1.0, n)
    error = float(values.std(ddof=1)) / sqrt(n) if n > 1 else 0.0
    if error <= max(ROUNDING * np.abs(values).max(), SINGLE * size):
        return Interval(mean, float("nan"), float("nan"), float("nan"), n)
    reach = reach_of(n) * error * sqrt(n)
    return Interval(mean, mean - reach, mean + reach, float(2 * stdtr(n - 1, -abs(mean) / error)), n)


def reach_of(n: int) -> float:
    """Half a 95 % interval from n >= 2 values with standard deviation 1: t(0.975, n - 1) / sqrt(n)."""
    return float(stdtrit(n - 1, 1 - LEVEL / 2)) / sqrt(n)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: below 0.05 means significant at 5 % for the whole family.

    Holm, A simple sequentially rejective multiple test procedure, 1979. A NaN is a comparison that
    was not tested: it stays NaN and does not count in the family.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    tested = sorted((p, i) for i, p in enumerate(p_values) if p == p)
    adjusted = [float("nan")] * len(p_values)
    floor = 0.0
    for rank, (p, i) in enumerate(tested):
        floor = max(floor, min(1.0, (len(tested) - rank) * p))
        adjusted[i] = floor
    return adjusted


def benjamini_hochberg(p_values: Sequence[float]) -> list[float]:
    """Their step-up adjustment: of those below 0.05 at most 5 % are expected to be chance; NaN as for ``holm``.

    Benjamini, Hochberg, Controlling the false discovery rate, JRSS B 1995.

    >>> benjamini_hochberg([0.01, 0.04, 0.03, 0.5])
    [0.04, 0.053..., 0.053..., 0.5]
    """
    tested = sorted(((p, i) for i, p in enumerate(p_values) if p == p), reverse=True)
    adjusted = [float("nan")] * len(p_values)
    ceiling = 1.0
    for rank, (p, i) in enumerate(tested):
        ceiling = min(ceiling, len(tested) * p / (len(tested) - rank))
        adjusted[i] = ceiling
    return adjusted


def verdict(difference: float, p_value: float, higher_is_better: bool) -> Verdict:
    """The word for a difference at the 5 % level; with a NaN p-value there is no significant one."""
    if not p_value < LEVEL:
        return "no significant difference"
    return "better" if (difference > 0) == higher_is_better else "worse"


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


@dataclass(frozen=True)
class RankTest:
    """Methods in the order given, each with its mean rank over the blocks, 1 is best.

    ``p_value`` is Friedman's of "all methods are alike"; ``p_adjusted`` is Holm's in the family that the test belongs
    to, itself where it stands alone. Two mean ranks that differ by less than ``critical_difference`` are not
    significantly different, and no two are where Friedman's test finds nothing.
    """

    names: tuple[str, ...]
    mean_ranks: tuple[float, ...]
    blocks: int
    p_value: float
    p_adjusted: float
    critical_difference: float

    @property
    def differs(self) -> bool:
        """Whether Friedman's test finds any difference; without it no pair is read."""
        return self.p_adjusted < LEVEL

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The largest sets of methods without a significant difference, best first: bars of the diagram."""
        order = sorted(range(len(self.names)), key=lambda i: self.mean_ranks[i])
        if not self.differs:
            return (tuple(self.names[i] for i in order),)
        ends = [
            sum(self.mean_ranks[j] - self.mean_ranks[i] < self.critical_difference for j in order[place:]) + place
            for place, i in enumerate(order)
        ]
        starts = [place for place, end in enumerate(ends) if place == 0 or end > ends[place - 1]]
        return tuple(tuple(self.names[i] for i in order[place : ends[place]]) for place in starts)


def rank_test(names: Sequence[str], costs: Sequence[Sequence[float]]) -> RankTest:
    """Q = (k - 1) N² Σ_j (r̄_j - (k+1)/2)² / Σ_ij (r_ij - (k+1)/2)², approximately chi² with k - 1 degrees of freedom.

    A block is whatever is drawn independently: a data set, or a seed. The tasks of one network are no blocks: they
    share their chance, and the test would say "different" without any difference.

    Args:
        names: k methods, at least 3 (two are compared by ``paired_t``).
        costs: [N blocks][k], finite, lower is better; ties share the mean of their ranks.

    Raises:
        ValueError: fewer than 3 methods or 2 blocks, blocks of another length, a value that is not finite.

    >>> found = rank_test(["a", "b", "c"], [[1, 2, 3], [1, 2, 3], [1, 3, 2], [1, 2, 3]])
    >>> found.mean_ranks, round(found.p_value, 4), round(found.critical_difference, 3)
    ((1.0, 2.25, 2.75), 0.0388, 1.657)
    """
    if len(names) < 3 or len(costs) < 2 or any(len(block) != len(names) for block in costs):
        lengths = sorted({len(block) for block in costs})
        raise ValueError(
            f"ranks need at least 3 names and 2 blocks with a value for each, got {len(names)} names and "
            f"{len(costs)} blocks of length {lengths}"
        )
    values = np.asarray(costs, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError(f"costs must be finite, got {values.tolist()}: leave such blocks out and say so")
    blocks, k = values.shape
    ranks = rankdata(values, axis=1)
    means, middle = ranks.mean(axis=0), (k + 1) / 2
    spread = ((ranks - middle) ** 2).sum()
    statistic = (k - 1) * blocks**2 * ((means - middle) ** 2).sum() / spread if spread else 0.0
    p_value = float(chdtrc(k - 1, statistic))
    return RankTest(tuple(names), tuple(means.tolist()), blocks, p_value, p_value, critical_difference(k, blocks))


def critical_difference(methods: int, blocks: int) -> float:
    """Nemenyi's q(0.05; k) sqrt(k (k + 1) / (6 N)), q the studentised range's quantile over sqrt(2).

    >>> round(critical_difference(4, 14), 2)
    1.25
    """
    return _studentized_range(methods) / sqrt(2) * sqrt(methods * (methods + 1) / (6 * blocks))


@cache
def _studentized_range(methods: int) -> float:
    """The 95 % quantile over infinitely many degrees of freedom; cached, as an integral of integrals takes 50 ms."""
    return float(studentized_range.ppf(1 - LEVEL, methods, inf))
