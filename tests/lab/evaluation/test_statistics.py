import math

import numpy as np
import pytest
import torch
from scipy import stats

from equipoise.lab.evaluation.statistics import holm, paired_t, reach_of, verdict


@pytest.mark.parametrize("n", [2, 3, 5, 30])
def test_paired_t_is_scipys(n):
    draws = np.random.default_rng(n)
    first, second = draws.normal(0.3, 1.0, n), draws.normal(0.0, 2.0, n)
    ours = paired_t(list(first - second))
    theirs = stats.ttest_rel(first, second)
    ends = theirs.confidence_interval(0.95)
    assert ours.n == n
    np.testing.assert_allclose(
        [ours.mean, ours.low, ours.high, ours.p_value], [np.mean(first - second), *ends, theirs.pvalue]
    )


def test_the_interval_of_three_values_by_hand():
    # 1, 2, 3: mean 2, s = 1, t(0.975, 2) = 4.30265 from the printed tables
    found = paired_t([1.0, 2.0, 3.0])
    assert found.half_width == pytest.approx(4.30265 / math.sqrt(3), abs=1e-5)
    assert found.high - found.mean == pytest.approx(found.half_width)


def test_the_interval_covers_the_truth_in_95_of_100_studies_of_three_seeds():
    draws = np.random.default_rng(0).normal(0.7, 2.0, (4000, 3))
    covered = sum((found := paired_t(row)).low <= 0.7 <= found.high for row in draws)
    assert covered / 4000 == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 4000))


@pytest.mark.parametrize("difference", [0.5, 0.0])
def test_one_pair_has_no_interval(difference):
    found = paired_t([difference])
    assert (found.mean, found.n) == (difference, 1)
    assert all(map(math.isnan, (found.low, found.high, found.p_value)))


def test_equal_differences_show_no_spread_to_measure_by_even_after_rounding():
    found = paired_t([0.8 - 0.7, 0.5 - 0.4, 0.2 - 0.1])  # 0.1 each, but for the last bits
    assert found.mean == pytest.approx(0.1)
    assert math.isnan(found.low)
    assert verdict(found.mean, found.p_value, True) == "no significant difference"


def test_differences_of_single_precision_that_agree_but_for_its_rounding_show_no_spread():
    sums, others = torch.tensor([0.9312, 0.9417]), torch.tensor([0.9312, 0.9417]) + torch.tensor([0.0028571, 0.0028572])
    differences = (others.double() - sums.double()).tolist()
    assert differences[0] != differences[1]
    assert math.isnan(paired_t(differences, size=0.95).p_value)
    assert paired_t([0.002, 0.003], size=0.95).p_value == paired_t([0.002, 0.003]).p_value


def test_small_differences_of_an_honest_spread_keep_their_interval():
    assert paired_t([1e-12, 2e-12, 3e-12]).p_value == pytest.approx(paired_t([1, 2, 3]).p_value)


def test_no_difference_at_all_is_certain():
    found = paired_t([0.0, 0.0])
    assert (found.mean, found.low, found.high, found.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_no_pair_is_nothing():
    assert paired_t([]).n == 0
    assert math.isnan(paired_t([]).mean)


def test_a_difference_that_is_not_finite_is_refused():
    with pytest.raises(ValueError, match="finite"):
        paired_t([1.0, float("nan")])


def test_reach_is_t_over_root_n():
    assert reach_of(5) == pytest.approx(stats.t.ppf(0.975, 4) / math.sqrt(5))


def test_holm_by_hand():
    # Sorted 0.005 0.01 0.03 0.04 times 4 3 2 1: 0.02 0.03 0.06 0.04, the last one not below the one before
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_stays_below_one_and_leaves_untested_comparisons_out_of_the_family():
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    adjusted = holm([math.nan, 0.02, 0.03])
    assert math.isnan(adjusted[0])
    assert adjusted[1:] == pytest.approx([0.04, 0.04])


def test_holm_finds_something_in_at_most_5_of_100_tables_without_anything():
    p_values = np.random.default_rng(1).uniform(size=(4000, 15))
    found = sum(min(holm(list(row))) < 0.05 for row in p_values) / 4000
    assert found == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 4000))


@pytest.mark.parametrize(
    ("difference", "p_value", "higher_is_better", "word"),
    [
        (0.1, 0.049, True, "better"),
        (0.1, 0.049, False, "worse"),
        (-0.1, 0.049, True, "worse"),
        (-0.1, 0.049, False, "better"),
        (0.1, 0.05, True, "no significant difference"),
        (0.1, math.nan, True, "no significant difference"),
    ],
)
def test_verdict(difference, p_value, higher_is_better, word):
    assert verdict(difference, p_value, higher_is_better) == word
