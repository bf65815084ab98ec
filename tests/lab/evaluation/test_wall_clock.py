import math

import pytest

from equipoise.lab.evaluation import TaskMetric
from equipoise.lab.evaluation.costs import equal_time
from equipoise.lab.evaluation.study import RunCost, curves_of

METRICS = [TaskMetric("size", "rmse", False, 0.0, 1.0), TaskMetric("kind", "accuracy", True, 1.0, 0.0)]


def cost(method, seed, epochs, speed):
    return RunCost(method, seed, "all", epochs, epochs, 10 * epochs, speed, 1.0, 100.0, 0, 0)


def reached(history, costs):
    curves, _ = curves_of(history)
    return equal_time(curves, costs, METRICS)


def curve(method, seed, skills):
    """By epoch: skill as given, error 1 - skill, accuracy skill / 2."""
    rows = []
    for epoch, skill in enumerate(skills, start=1):
        for task, quantity, value in (
            ("all", "skill", skill),
            ("size", "rmse", 1 - skill),
            ("kind", "accuracy", skill / 2),
        ):
            moment = {"method": method, "seed": seed, "epoch": epoch, "split": "validation", "task": task}
            rows.append({key: str(v) for key, v in (moment | {"quantity": quantity, "value": value}).items()})
            rows.append(rows[-1] | {"split": "train", "value": "123.0"})
    return rows


def test_each_method_shows_its_best_epoch_within_the_time_of_the_cheapest():
    costs = [cost("sum", 0, 4, 0.1), cost("mgda", 0, 4, 0.19), cost("single-task", 0, 1, 1e-9)]
    history = curve("sum", 0, [0.1, 0.5, 0.4, 0.3]) + curve("mgda", 0, [0.2, 0.6, 0.9, 0.95])
    found = reached(history, costs)
    # an epoch is 10 steps: sum is done after 4 s, in which mgda does 2 epochs of 1.9 s
    assert (found.seconds, found.cheapest) == (pytest.approx(4.0), "sum")
    plain, mgda = found.rows
    assert (plain.epochs, mgda.epochs) == (4, 2)
    assert plain.values == {"size": pytest.approx(0.5), "kind": pytest.approx(0.25)}
    assert mgda.values == {"size": pytest.approx(0.4), "kind": pytest.approx(0.3)}
    assert mgda.to_sum["size"].mean == pytest.approx(-0.1)
    assert plain.to_sum == {"size": None, "kind": None}


def test_the_epoch_shown_is_the_best_by_the_criterion_that_selects():
    costs = [cost(method, 0, 3, 0.1) for method in ("sum", "uw")]
    history = curve("sum", 0, [0.1, 0.2, 0.3]) + curve("uw", 0, [0.1, 0.2, 0.3])
    selection = [
        {**row, "quantity": "selection", "value": str(-float(row["value"]))}
        for row in history
        if (row["method"], row["quantity"], row["split"]) == ("uw", "skill", "validation")
    ]
    plain, other = reached(history + selection, costs).rows
    assert (plain.values["size"], other.values["size"]) == (pytest.approx(0.7), pytest.approx(0.9))


def test_at_equal_speed_it_is_the_view_at_equal_epochs():
    costs = [cost(method, 0, 3, 0.1) for method in ("sum", "uw")]
    found = reached(curve("sum", 0, [0.1, 0.2, 0.3]) + curve("uw", 0, [0.3, 0.2, 0.6]), costs)
    assert [row.epochs for row in found.rows] == [3, 3]
    assert found.rows[1].values["size"] == pytest.approx(0.4)


def test_a_few_percent_of_noise_in_the_clock_cost_no_epoch():
    costs = [cost("sum", 0, 8, 0.1), cost("uw", 0, 8, 0.103)]
    skills = [0.1 * epoch for epoch in range(1, 9)]
    assert [row.epochs for row in reached(curve("sum", 0, skills) + curve("uw", 0, skills), costs).rows] == [8, 8]


def test_a_method_is_as_fast_as_its_median_run():
    """A run that a busy machine slowed down to a tenth neither takes nor gives epochs."""
    costs = [cost(m, seed, 4, speed) for m in ("sum", "uw") for seed, speed in enumerate((0.1, 0.1, 1.0))]
    costs = [row._replace(seconds_per_step=0.1) if row.method == "uw" else row for row in costs]
    found = reached([], costs)
    assert found.seconds == pytest.approx(4.0)
    assert [row.epochs for row in found.rows] == [4, 4]


def test_of_equal_epochs_the_first_is_shown_and_one_that_is_not_finite_never():
    costs = [cost(method, 0, 4, 0.1) for method in ("sum", "uw")]
    history = curve("sum", 0, [0.1, 0.5, 0.5, 0.4]) + curve("uw", 0, [math.nan, 0.2, math.inf, 0.1])
    for row in history:  # what tells the epochs apart
        if row["quantity"] == "rmse" and row["split"] == "validation":
            row["value"] = row["epoch"]
    assert [row.values["size"] for row in reached(history, costs).rows] == [2.0, 2.0]


def test_differences_are_paired_by_seed():
    costs = [cost(method, seed, 1, 0.1) for method in ("sum", "uw") for seed in (0, 1, 2)]
    history = []
    for seed, (plain, mine) in enumerate([(0.1, 0.2), (0.5, 0.7), (0.3, 0.6)]):
        history += curve("sum", seed, [plain]) + curve("uw", seed, [mine])
    interval = reached(history, costs).rows[1].to_sum["size"]
    assert interval.mean == pytest.approx(-0.2)
    assert interval.n == 3


def test_a_method_that_finishes_no_epoch_in_time_has_no_value():
    costs = [cost("sum", 0, 2, 0.1), cost("slow", 0, 2, 0.5)]
    slow = reached(curve("sum", 0, [0.1, 0.2]) + curve("slow", 0, [0.9, 0.9]), costs).rows[1]
    assert slow.epochs == 0
    assert math.isnan(slow.values["size"])
    assert slow.to_sum["size"] is None


def test_one_balancing_has_nothing_to_be_equal_with():
    assert reached([], [cost("sum", 0, 2, 0.1), cost("single-task", 0, 2, 0.1)]) is None
