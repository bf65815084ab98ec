"""What a paired t-test takes for granted, checked: enough runs, and differences that are roughly symmetric."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb, sqrt
from statistics import median

import numpy as np
from scipy.special import stdtrit

from equipoise.lab.evaluation.metric import TaskMetric
from equipoise.lab.evaluation.numbers import of_seeds

MISSING = 0.1  # of a method's runs; where more are missing, which ones are may decide the outcome
GRUBBS = 0.01  # level of the test for an outlier
COLLAPSED = 0.5  # of the median skill of both sides; a run below has collapsed


@dataclass(frozen=True)
class Check:
    """Why differences are not to be trusted as they are, and what holds without the t-test's assumption.

    Args:
        seeds: To inspect: their difference is an outlier, or one of their runs has collapsed.
        collapsed: Those of them with a collapsed run.
        sign_p: Two-sided p-value of the sign test of median difference = 0, which needs no symmetry.
        floor: The least p-value that so many differences allow it, 2^(1 - n).
    """

    seeds: tuple[int, ...]
    collapsed: tuple[int, ...]
    sign_p: float
    floor: float

    @property
    def reason(self) -> str:
        """In words, without what holds instead."""
        far = tuple(seed for seed in self.seeds if seed not in self.collapsed)
        parts = [
            f"inspect {of_seeds(which)}: {what}"
            for which, what in ((self.collapsed, "a run collapsed"), (far, "the difference is an outlier"))
            if which
        ]
        return "; ".join(parts)

    @property
    def words(self) -> str:
        """In a line."""
        return f"{self.reason}. Sign test: p = {self.sign_p:.2g} (at best {self.floor:.2g})"


def too_many_missing(found: int, asked: int) -> bool:
    """Whether more than a tenth of the runs asked for are missing.

    >>> too_many_missing(9, 10), too_many_missing(4, 5)
    (False, True)
    """
    return asked - found > MISSING * asked


def check_differences(mine: Mapping[int, float], theirs: Mapping[int, float], metric: TaskMetric) -> Check | None:
    """Whether an outlier (Grubbs' test at 1 %) or a collapsed run is among the pairs; None where neither is.

    A run has collapsed where its skill, (value - trivial) / (perfect - trivial), is below half the median skill of all
    runs of both sides. Fewer than three pairs are not checked.

    Args:
        mine: Finite values by seed.
        theirs: Those of the other method.
        metric: What they are of.
    """
    seeds = [seed for seed in mine if seed in theirs]
    if len(seeds) < 3:
        return None
    differences = [mine[seed] - theirs[seed] for seed in seeds]
    place = outlier(differences)
    collapsed = _collapsed(mine, theirs, seeds, metric)
    odd = sorted({*collapsed, *([] if place is None else [seeds[place]])})
    if not odd:
        return None
    return Check(tuple(odd), tuple(collapsed), sign_test(differences), 2.0 ** (1 - len(seeds)))


def outlier(values: Sequence[float]) -> int | None:
    """The place of the value farthest from the mean, if Grubbs' test takes it for an outlier at 1 %.

    Grubbs, Sample criteria for testing outlying observations, 1950: G = max |x - mean| / s above
    (n - 1) / sqrt(n) · sqrt(t² / (n - 2 + t²)), t the quantile 1 - 0.01 / (2 n) of Student's t with n - 2 degrees.

    >>> outlier([0.1, 0.2, 0.15, 0.12, -9.0]), outlier([0.1, 0.2, 0.15, 0.12, 0.3])
    (4, None)
    """
    array = np.asarray(values, dtype=np.float64)
    n, spread = len(array), float(array.std(ddof=1)) if len(array) > 2 else 0.0
    if spread == 0.0:
        return None
    distance = np.abs(array - array.mean())
    t = float(stdtrit(n - 2, 1 - GRUBBS / (2 * n)))
    bound = (n - 1) / sqrt(n) * sqrt(t * t / (n - 2 + t * t))
    place = int(distance.argmax())
    return place if distance[place] / spread > bound else None


def sign_test(differences: Sequence[float]) -> float:
    """Two-sided p-value of the sign test; zeros are left out.

    >>> sign_test([1.0, 2.0, 0.5, 3.0, 0.1]), sign_test([1.0, -1.0]), sign_test([0.0])
    (0.0625, 1.0, 1.0)
    """
    positive, negative = sum(d > 0 for d in differences), sum(d < 0 for d in differences)
    n, fewer = positive + negative, min(positive, negative)
    return min(1.0, 2 * sum(comb(n, k) for k in range(fewer + 1)) / 2.0**n)


def _collapsed(
    mine: Mapping[int, float], theirs: Mapping[int, float], seeds: Sequence[int], metric: TaskMetric
) -> list[int]:
    way = metric.perfect - metric.trivial
    if not way:
        return []
    skills = {seed: [(side[seed] - metric.trivial) / way for side in (mine, theirs)] for seed in seeds}
    bound = COLLAPSED * median(skill for both in skills.values() for skill in both)
    return [seed for seed, both in skills.items() if min(both) < bound] if bound > 0 else []
