from statistics import fmean

import pytest
from scipy.stats import ttest_rel

from equipoise.lab.evaluation import TaskMetric, changes, holm

METRICS = [TaskMetric("rating", "rmse", False, 0.0, 1.0), TaskMetric("liked", "auroc", True, 1.0, 0.5)]
FIRST = {
    "sum": {"rating": {0: 0.60, 1: 0.61, 2: 0.62}, "liked": {0: 0.80, 1: 0.82, 2: 0.81}},
    "uw": {"rating": {0: 0.70, 1: 0.71, 2: 0.70}, "liked": {0: 0.80, 1: 0.79, 2: 0.81}},
    "dwa": {"rating": {0: 1.0}, "liked": {0: 1.0}},
}
SECOND = {
    "sum": {"rating": {1: 0.51, 2: 0.53, 0: 0.49, 7: 9.0}, "liked": {0: 0.81, 1: 0.81, 2: 0.82}},
    "uw": {"rating": {0: 0.90, 1: 0.92, 2: 0.91}, "liked": {5: 0.9}},
}


def test_differences_are_paired_by_seed_and_corrected_as_one_family():
    found = {(c.method, c.task): c for c in changes(FIRST, SECOND, METRICS, same_data=True)}
    assert list(found) == [("sum", "rating"), ("sum", "liked"), ("uw", "rating"), ("uw", "liked")]
    p_values = []
    for method, task in list(found)[:3]:
        a, b = FIRST[method][task], SECOND[method][task]
        test = ttest_rel([b[seed] for seed in a], list(a.values()))
        comparison = found[method, task].comparison
        assert comparison.interval.p_value == pytest.approx(test.pvalue)
        interval = test.confidence_interval()
        assert (comparison.interval.low, comparison.interval.high) == pytest.approx((interval.low, interval.high))
        p_values.append(test.pvalue)
    adjusted = [found[key].comparison.p_adjusted for key in list(found)[:3]]
    assert adjusted == pytest.approx(holm(p_values))
    assert found["sum", "rating"].comparison.verdict == "better"  # an error fell
    assert found["uw", "rating"].comparison.verdict == "worse"
    assert found["sum", "liked"].comparison.verdict == "no significant difference"


def test_means_are_of_all_seeds_and_without_common_seeds_nothing_is_paired():
    found = {(c.method, c.task): c for c in changes(FIRST, SECOND, METRICS, same_data=True)}
    assert found["sum", "rating"].second == fmean([0.51, 0.53, 0.49, 9.0])
    assert found["uw", "liked"].comparison is None
    assert (found["uw", "liked"].first, found["uw", "liked"].second) == (fmean([0.80, 0.79, 0.81]), 0.9)


def test_other_data_pair_nothing():
    assert all(c.comparison is None for c in changes(FIRST, SECOND, METRICS, same_data=False))


def test_the_missing_rule_and_the_check_of_differences_hold_between_studies_too():
    steady = {seed: 0.5 + 0.001 * (seed % 3) for seed in range(10)}
    better = {seed: value - 0.1 for seed, value in steady.items()}
    metric = METRICS[0]

    def compare(first, second, asked):
        (change,) = changes(
            {"uw": {"rating": first}}, {"uw": {"rating": second}}, [metric], same_data=True, asked=asked
        )
        return change.comparison

    noise = {seed: value + 0.002 * (seed % 2) for seed, value in better.items()}
    assert compare(steady, noise, (10, 10)).verdict == "better"
    lacking = compare(steady, {seed: noise[seed] for seed in range(8)}, (10, 10))
    assert (lacking.verdict, lacking.missing) == ("no verdict", "2 of 10 runs of uw in the second missing")
    first_lacks = compare({seed: steady[seed] for seed in range(8)}, noise, (10, 10))
    assert first_lacks.verdict == "better"  # against the side that lacks runs
    odd = compare(steady, noise | {4: -3.0}, (10, 10))
    assert odd.check.seeds == (4,)
