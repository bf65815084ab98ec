import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from equipoise.lab.evaluation import critical_difference, rank_test


def named(k):
    return [f"m{i}" for i in range(k)]


@pytest.mark.parametrize(("blocks", "k"), [(3, 8), (12, 3), (40, 5)])
def test_friedman_is_scipys(blocks, k):
    values = np.random.default_rng(blocks).normal(size=(blocks, k)) + 0.3 * np.arange(k)
    found = rank_test(named(k), values)
    assert found.p_value == pytest.approx(stats.friedmanchisquare(*values.T).pvalue, rel=1e-9)
    np.testing.assert_allclose(found.mean_ranks, stats.rankdata(values, axis=1).mean(axis=0))
    assert (found.blocks, len(found.names)) == (blocks, k)


def test_friedman_with_ties_is_scipys():
    values = np.random.default_rng(4).integers(0, 3, size=(9, 5))
    assert rank_test(named(5), values).p_value == pytest.approx(stats.friedmanchisquare(*values.T).pvalue, rel=1e-9)


def test_where_all_is_tied_nothing_differs():
    found = rank_test(named(4), np.ones((5, 4)))
    assert found.mean_ranks == (2.5,) * 4
    assert found.p_value == 1.0
    assert found.groups == (("m0", "m1", "m2", "m3"),)


# Demšar, JMLR 2006, table 5 (a): q of the two-tailed Nemenyi test at 0.05 for k = 2..10
@pytest.mark.parametrize(
    ("k", "q"), [*enumerate([1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164], start=2)]
)
def test_the_critical_difference_is_that_of_the_printed_table(k, q):
    assert critical_difference(k, 14) == pytest.approx(q * math.sqrt(k * (k + 1) / (6 * 14)), rel=3e-4)


def test_demsars_example():
    # section 3.2.3: four C4.5 on 14 data sets with mean ranks 3.143, 2.000, 2.893, 1.964; chi² = 9.28, CD at 0.05 1.25
    ranks = np.array([3.143, 2.000, 2.893, 1.964])
    assert critical_difference(4, 14) == pytest.approx(2.569 * math.sqrt(4 * 5 / (6 * 14)), rel=1e-3)
    assert 12 * 14 / (4 * 5) * ((ranks - 2.5) ** 2).sum() == pytest.approx(9.28, abs=0.01)


def test_groups_are_the_largest_runs_within_the_critical_difference():
    # ten blocks, always a b c d in this order: CD = 2.569 sqrt(20 / 60) = 1.483
    found = rank_test(["d", "c", "b", "a"], [[4, 3, 2, 1]] * 10)
    assert found.mean_ranks == (4.0, 3.0, 2.0, 1.0)
    assert found.differs
    assert found.groups == (("a", "b"), ("b", "c"), ("c", "d"))


def test_without_friedman_no_pair_is_told_apart():
    # two blocks alike: ranks differ by 2, but chi² = 4 with 2 degrees of freedom has p = 0.135
    found = rank_test(["a", "b", "c"], [[1, 2, 3], [1, 2, 3]])
    assert found.p_value == pytest.approx(math.exp(-2))
    assert not found.differs
    assert found.groups == (("a", "b", "c"),)


def test_a_family_may_take_back_what_friedman_alone_finds():
    found = rank_test(["d", "c", "b", "a"], [[4, 3, 2, 1]] * 10)
    assert replace(found, p_adjusted=0.06).groups == (("a", "b", "c", "d"),)


def test_the_rate_of_false_alarms_over_independent_blocks():
    draws = np.random.default_rng(3).normal(size=(1500, 12, 5))
    alarms = np.mean([rank_test(named(5), values).differs for values in draws])
    assert alarms == pytest.approx(0.05, abs=0.02)


@pytest.mark.parametrize(
    ("names", "costs", "message"),
    [
        (["a", "b"], [[1, 2], [2, 1]], "at least 3 names"),
        (["a", "b", "c"], [[1, 2, 3]], "2 blocks"),
        (["a", "b", "c"], [[1, 2, 3], [1, 2]], r"length \[2, 3\]"),
        (["a", "b", "c"], [[1, 2, 3], [1, 2, math.nan]], "must be finite"),
    ],
)
def test_what_cannot_be_ranked_is_refused(names, costs, message):
    with pytest.raises(ValueError, match=message):
        rank_test(names, costs)
