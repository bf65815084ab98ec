"""Ranks over many blocks: is any method ahead of another more often than chance would have it?

Friedman, The use of ranks to avoid the assumption of normality, 1937; Nemenyi, 1963; both as in Demšar, Statistical
Comparisons of Classifiers over Multiple Data Sets, JMLR 2006, section 3.2.2, with the correction for ties.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import inf, sqrt

import numpy as np
from scipy.special import chdtrc
from scipy.stats import rankdata, studentized_range

from equipoise.lab.evaluation.statistics import LEVEL


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
