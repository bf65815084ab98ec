"""The promise of a verdict: where no method differs, at most 5 % of studies say "different" anywhere."""

import importlib.util
from pathlib import Path

import pytest
from scipy import stats

SPEC = importlib.util.spec_from_file_location(
    "false_alarms", Path(__file__).parents[3] / "benchmarks" / "false_alarms.py"
)
false_alarms = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(false_alarms)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", false_alarms.SEEDS)
def test_where_nothing_differs_few_studies_of_eight_methods_say_so(seeds):
    found = false_alarms.rates(seeds, studies=1000)
    assert 0.02 <= found["anywhere"] <= 0.065


@pytest.mark.slow
def test_what_differs_is_found_as_often_as_the_noncentral_t_says_and_not_called_worse():
    found = false_alarms.rates(5, studies=300, gain=2 * (2 / 5) ** 0.5, seed=9)
    expected = stats.nct.sf(stats.t.ppf(0.975, 4), 4, 2)
    assert found["m1 on a task, alone"] == pytest.approx(expected, abs=0.05)
    assert found["m1 on a task"] < found["m1 on a task, alone"]
    assert found["wrong"] == 0.0


def test_a_few_studies_run():
    assert set(false_alarms.rates(3, studies=3)) >= {"anywhere", "sum", "single-task", "tuned", "ranks"}


@pytest.mark.slow
def test_planned_looks_keep_the_promise_and_unplanned_ones_do_not():
    found = false_alarms.looks(studies=300)
    planned = [rate for kind, rate in found.items() if kind.startswith("--looks")]
    assert max(planned) <= 0.08  # two standard errors above 5 %
    assert found["3 to 20 seeds, a look after each"] > 0.12


def test_collapses_break_the_promise_and_the_check_sees_what_it_can():
    found, marked = false_alarms.skewed(5, studies=60, methods=2)
    assert found > 0.3
    assert 0.2 < marked < 0.9


@pytest.mark.slow
def test_hundreds_of_tasks_without_a_difference_are_as_seldom_called_different():
    means, tasks, *_ = false_alarms.many(5, studies=200, tasks=100)
    assert tasks <= means <= 0.09  # two and a half standard errors above 5 %
    *_, power, wrong = false_alarms.many(10, studies=50, tasks=100, gains=4.0)
    assert power > 0.5
    assert wrong <= 0.06
