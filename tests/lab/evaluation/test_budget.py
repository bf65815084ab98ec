import pytest

from equipoise.lab.evaluation import MethodCost, TaskMetric, unequal
from equipoise.lab.evaluation.costs import method_costs
from equipoise.lab.evaluation.study import RunCost
from equipoise.lab.evaluation.table import make_table

EQUAL = {"epochs": 8, "batch_size": 64, "trials": 20}


def spent(seconds=None, **passes):
    """Costs by these backward passes of a run; the seconds are any."""
    times = seconds or {}
    return {
        name.replace("_", "-"): MethodCost({0: 0.01}, 1.0, 100.0, times.get(name, 1.0), count, 0, 0)
        for name, count in passes.items()
    }


def test_an_equal_study_has_no_stamp():
    budgets = dict.fromkeys(("single-task", "sum", "uw"), EQUAL)
    assert unequal(budgets, spent(sum=10.0, uw=12.0)) == ()


@pytest.mark.parametrize(
    ("key", "words"),
    [("epochs", "epochs allowed"), ("batch_size", "batch size"), ("trials", "search trials")],
)
def test_each_difference_is_named_with_who_has_what(key, words):
    budgets = {"single-task": EQUAL, "sum": EQUAL | {key: 2}, "uw": EQUAL}
    assert unequal(budgets, {}) == (f"{words} (sum 2, single-task and uw {EQUAL[key]})",)


def test_backward_passes_count_from_a_quarter_on_and_among_the_methods():
    found = unequal({}, spent(sum=1000.0, uw=1240.0, mgda=3100.0, single_task=10000.0))
    assert found == ("backward passes of a run (sum 1,000, mgda 3,100)",)
    assert unequal({}, spent(sum=1000.0, uw=1240.0, single_task=10000.0)) == ()


def test_a_busy_machine_makes_no_study_unequal():
    assert unequal({}, spent(seconds={"sum": 10.0, "uw": 95.0}, sum=1000.0, uw=1000.0)) == ()


def test_all_differences_are_told():
    budgets = {"sum": EQUAL, "uw": {"epochs": 9, "batch_size": 32, "trials": 1}}
    assert len(unequal(budgets, spent(sum=1.0, uw=2.0))) == 4


def row(method, seed, task, steps, speed, backwards, memory, skipped=0, unsolved=0):
    return RunCost(method, seed, task, 1, 1, steps, speed, backwards, memory, skipped, unsolved)


def test_costs_are_medians_over_seeds_and_sums_over_the_networks_of_single_task():
    rows = [
        row("sum", 0, "all", 10, 0.1, 1.0, 100.0),
        row("sum", 1, "all", 20, 0.3, 1.0, 300.0, skipped=2),
        row("sum", 2, "all", 30, 0.2, 1.0, 200.0, skipped=1, unsolved=4),
        row("single-task", 0, "a", 10, 0.1, 1.0, 90.0, skipped=1),
        row("single-task", 0, "b", 20, 0.2, 1.0, 80.0),
        row("single-task", 1, "a", 99, 9.9, 1.0, 999.0, skipped=5),  # the other network is missing
    ]
    found = method_costs(rows, tasks=2)
    assert found["sum"] == MethodCost({0: 0.1, 1: 0.3, 2: 0.2}, 1.0, 200.0, 6.0, 20.0, 3, 4, 1.0, 1)
    assert found["sum"].seconds_per_step == 0.2
    by_seed = {0: pytest.approx(0.3)}
    assert found["single-task"] == MethodCost(by_seed, 2.0, 90.0, pytest.approx(5.0), 30.0, 6, 0, 1.0, 1)
    assert found["single-task"].seconds_per_step == pytest.approx(0.3)


def test_load_that_lasts_for_a_seed_does_not_change_what_a_step_costs_beside_the_sum():
    """Medians of each method would say 1.2: the machine was busy while two of the three sums were trained."""
    load = {0: 1.0, 1: 5.0, 2: 6.0}
    rows = [row("sum", seed, "all", 10, 0.1 * times, 1.0, 100.0) for seed, times in load.items()]
    rows += [row("mgda", seed, "all", 10, 0.24 * times, 2.0, 100.0) for seed, times in load.items()]
    rows += [row("mgda", seed, "all", 10, 0.24, 2.0, 100.0) for seed in (3, 4, 5)]  # whose sums are not trained yet
    metrics = [TaskMetric("a", "rmse", False, 0.0, 1.0)]
    values = {name: {"a": {seed: 1.0 + 0.01 * seed for seed in load}} for name in ("sum", "mgda")}
    table = make_table(values, metrics, method_costs(rows, tasks=1))
    assert table.cost_ratio("mgda") == pytest.approx(2.4)
    assert table.cost_ratio("sum") == 1.0
    apart = method_costs([*rows[:1], *rows[-3:]], tasks=1)  # no seed in common
    assert make_table(values, metrics, apart).cost_ratio("mgda") == pytest.approx(2.4)


def test_without_a_whole_seed_only_the_troubles_are_known():
    found = method_costs([row("single-task", 0, "a", 10, 0.1, 1.0, 90.0, skipped=1)], tasks=2)["single-task"]
    assert found.seconds_per_step != found.seconds_per_step
    assert found.skipped_steps == 1
