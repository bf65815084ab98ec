"""What the t-test takes for granted: missing runs, outliers, collapsed runs."""

import numpy as np
import pytest
from scipy import stats
from telling import advised, told

from equipoise.lab.evaluation import TaskMetric, check_differences, make_table, outlier, sign_test

ACCURACY = TaskMetric("kind", "accuracy", True, 1.0, 0.0)
PLAIN = dict(enumerate([0.40, 0.42, 0.41, 0.43, 0.40, 0.42, 0.41, 0.43, 0.40, 0.41]))
GAINED = {seed: value + 0.05 + 0.001 * (seed % 3) for seed, value in PLAIN.items()}


def table(seeds=10, **values):
    return make_table({name: {"kind": found} for name, found in values.items()}, [ACCURACY], {}, seeds=seeds)


def without(found, *seeds):
    return {seed: value for seed, value in found.items() if seed not in seeds}


def comparison(made, method):
    return next(row for row in made.rows if row.method == method).scores["kind"].to_sum


def test_more_than_a_tenth_missing_is_no_verdict_in_favour():
    made = table(sum=PLAIN, whole=GAINED, nine=without(GAINED, 4), eight=without(GAINED, 4, 7))
    assert comparison(made, "whole").verdict == comparison(made, "nine").verdict == "better"
    found = comparison(made, "eight")
    assert (found.verdict, found.missing) == ("no verdict", "2 of 10 runs of eight missing")
    headline = told(made, [ACCURACY], 10)
    assert "2 of 10 runs of eight missing: no verdict in its favour." in headline
    assert "eight is" not in headline
    assert "Use eight" not in advised(made, [ACCURACY])
    assert "eight" not in made.ranks.names


def test_nor_one_of_no_difference_but_worse_is_worse():
    close = {seed: value + 0.01 * (-1) ** seed for seed, value in PLAIN.items()}
    made = table(sum=GAINED, bad=without(PLAIN, 0, 1, 2), close=without(close, 0, 1))
    assert comparison(made, "bad").verdict == "worse"
    made = table(sum=PLAIN, close=without(close, 0, 1))
    assert comparison(made, "close").verdict == "no verdict"


def test_a_reference_that_lacks_runs_is_not_called_better_either():
    made = table(sum=without(GAINED, 0, 1), mine=PLAIN)
    assert comparison(made, "mine").verdict == "no verdict"
    assert comparison(made, "mine").missing == "2 of 10 runs of sum missing"
    assert comparison(table(sum=without(PLAIN, 0, 1), mine=GAINED), "mine").verdict == "better"


def test_seeds_that_failed_for_all_count_as_missing():
    assert comparison(table(seeds=12, sum=PLAIN, mine=GAINED), "mine").verdict == "no verdict"


@pytest.mark.parametrize("n", [3, 5, 10])
def test_the_outlier_test_is_grubbs_at_1_percent(n):
    draws = np.random.default_rng(n).normal(size=(20_000, n))
    rate = np.mean([outlier(list(row)) is not None for row in draws])
    assert rate == pytest.approx(0.01, abs=0.003)  # exact in size: four standard errors


def test_the_bound_of_grubbs_by_the_printed_table():
    # two-sided, 1 %, n = 10: G = 2.482 (Grubbs and Beck 1972)
    rest = [0.0, 1.0, -1.0, 0.5, -0.5, 0.7, -0.7, 0.2, -0.2]

    def g(value):
        values = np.array([*rest, value])
        return (np.abs(values - values.mean()) / values.std(ddof=1)).max()

    inside = next(v for v in np.arange(2, 20, 0.001) if g(v) > 2.481)
    outside = next(v for v in np.arange(2, 20, 0.001) if g(v) > 2.483)
    assert outlier([*rest, inside]) is None
    assert outlier([*rest, outside]) == 9


@pytest.mark.parametrize("positive", range(6))
def test_the_sign_test_is_binomial(positive):
    differences = [1.0] * positive + [-2.0] * (5 - positive) + [0.0]
    assert sign_test(differences) == pytest.approx(stats.binomtest(positive, 5).pvalue)


def test_a_collapsed_run_is_named_with_what_then_holds():
    collapsed = {**GAINED, 3: 0.05}
    check = check_differences(collapsed, PLAIN, ACCURACY)
    assert (check.seeds, check.collapsed) == ((3,), (3,))
    assert check.sign_p == pytest.approx(stats.binomtest(9, 10).pvalue)
    assert check.words == "inspect seed 3: a run collapsed. Sign test: p = 0.021 (at best 0.002)"
    both = check_differences({**collapsed, 5: 0.01}, PLAIN, ACCURACY)
    assert both.seeds == (3, 5)  # two hide each other from a test for one outlier


def test_an_outlier_that_did_not_collapse_is_named_too():
    check = check_differences({**GAINED, 3: 0.60}, PLAIN, ACCURACY)
    assert (check.seeds, check.collapsed) == ((3,), ())
    assert check.reason == "inspect seed 3: the difference is an outlier"


def test_well_behaved_runs_and_few_of_them_are_not_remarked_upon():
    assert check_differences(GAINED, PLAIN, ACCURACY) is None
    assert check_differences({0: 0.1, 1: 0.9}, PLAIN, ACCURACY) is None


def test_five_seeds_can_never_be_significant_by_the_sign_test():
    assert (
        check_differences({0: 0.5, 1: 0.5, 2: 0.5, 3: 0.9, 4: 0.5}, dict(list(PLAIN.items())[:5]), ACCURACY).floor
        == 0.0625
    )
