import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from equipoise.lab.evaluation import power, seeds_to_show


@pytest.mark.parametrize("level", [0.05, 0.05 / 46])
@pytest.mark.parametrize(("effect", "n"), [(0.2, 3), (1.0, 5), (-1.0, 5), (1.5, 10), (0.3, 200), (3.0, 4), (1.0, 2)])
def test_power_is_statsmodels(effect, n, level):
    theirs = TTestPower().power(effect, n, level, alternative="two-sided")
    assert power(effect, n, level) == pytest.approx(theirs, abs=1e-4)


@pytest.mark.parametrize(("effect", "n"), [(30.0, 2), (2.5, 10), (8.0, 4), (3.0, 6)])
def test_power_of_large_effects_where_the_noncentral_t_of_scipy_is_nan(effect, n):
    level = 0.05 / 46
    draws = np.random.default_rng(n).normal(effect, 1.0, (50_000, n))
    found = np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < level)
    assert power(effect, n, level) == pytest.approx(found, abs=0.01)


def test_power_is_what_studies_find():
    draws = np.random.default_rng(0).normal(0.9, 1.0, (20_000, 6))
    assert power(0.9, 6) == pytest.approx(np.mean(stats.ttest_1samp(draws, 0, axis=1).pvalue < 0.05), abs=0.01)


@pytest.mark.parametrize("effect", [0.15, 0.5, 1.0, 3.0, 30.0])
def test_the_seeds_are_the_fewest_that_reach_the_power(effect):
    n = seeds_to_show(effect, 0.01)
    assert power(effect, n, 0.01) >= 0.8
    assert n == 2 or power(effect, n - 1, 0.01) < 0.8


def test_the_number_of_seeds_is_statsmodels():
    wanted = TTestPower().solve_power(0.5, alpha=0.05, power=0.8, alternative="two-sided")
    assert seeds_to_show(0.5) == math.ceil(wanted)


def test_what_a_thousand_seeds_would_not_show_has_no_number():
    assert seeds_to_show(0.0) is None
    assert seeds_to_show(0.05) is None  # 3,142 by statsmodels
    assert seeds_to_show(0.09) == 971
    assert seeds_to_show(0.088) is None  # 1,016
