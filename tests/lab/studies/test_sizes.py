"""How much of a study fits into its minutes: the cheapest first, what is named whole, the same when it is resumed."""

import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from equipoise.lab.api import comparing
from equipoise.lab.arms import SINGLE_TASK, SUM, TUNED, MethodArm
from equipoise.lab.evaluation.notes import postponed_note
from equipoise.lab.studies import make_plan, progress, run_plan
from equipoise.lab.studies.sizes import TimeLimit, plan_within, planned_before
from equipoise.lab.studies.timing import Costs

CASE = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"
MGDA, UW = MethodArm("mgda"), MethodArm("uw")
FREE = {"methods": True, "tuned": True, "single_task": True}


@pytest.fixture
def plan():
    return make_plan(CASE, ["sum", "mgda", "uw"], range(5), epochs=10, tuned_trials=4)


@pytest.fixture
def costs():
    """60 samples in batches of 10 are 6 steps; with 3 seeds sum is 300 s, uw 336, mgda 1200.

    Single-task networks are 300 s, tuned weights with their 4 trials 700.
    """
    return Costs({SUM: 1.0, UW: 1.2, MGDA: 6.0, SINGLE_TASK: 0.5}, {False: 4.0, True: 2.0})


def taken(plan):
    return [*map(str, [*([SINGLE_TASK] if plan.alone else []), *plan.arms])], len(plan.seeds), plan.tuned_trials


@pytest.mark.parametrize(
    ("minutes", "arms", "seeds", "trials"),
    [
        (1.0, ["sum", "uw"], 3, 0),
        (16.0, ["single-task", "sum", "uw"], 3, 0),
        (25.0, ["single-task", "sum", "uw"], 4, 0),
        (28.0, ["single-task", "sum", "uw", "tuned"], 3, 4),
        (48.0, ["single-task", "sum", "mgda", "uw", "tuned"], 3, 4),
        (61.0, ["single-task", "sum", "mgda", "uw", "tuned"], 4, 4),
        (75.0, ["single-task", "sum", "mgda", "uw", "tuned"], 5, 4),
    ],
)
def test_the_cheapest_come_first_then_more_than_three_seeds(plan, costs, minutes, arms, seeds, trials):
    chosen = plan_within(TimeLimit(minutes, **FREE), plan, costs, 1)
    assert taken(chosen) == (arms, seeds, trials)
    whole = chosen.runs == plan.runs
    assert bool(chosen.postponed) is not whole
    assert chosen.identity_hash == plan.identity_hash  # so that its runs are those of the whole plan
    if not whole:
        left = costs.minutes(plan, [run for run in plan.runs if run not in chosen.runs], 4 - trials, 1)
        assert chosen.postponed["more_minutes"] == pytest.approx(left)


def test_of_methods_that_take_about_the_same_the_first_of_the_plan_comes_first(costs):
    plan = make_plan(CASE, ["sum", "uw", "dwa"], range(5), epochs=10)
    near = Costs({**costs.step, MethodArm("dwa"): 1.1}, costs.epoch)
    assert taken(plan_within(TimeLimit(1.0, **FREE), plan, near, 1)) == (["sum", "uw"], 3, 0)


def test_what_is_named_is_never_left_out(plan, costs):
    assert taken(plan_within(TimeLimit(1.0), plan, costs, 1)) == (
        ["single-task", "sum", "mgda", "uw", "tuned"],
        3,
        4,
    )
    chosen = plan_within(TimeLimit(1.0, tuned=True, single_task=True), plan, costs, 1)
    assert taken(chosen) == (["sum", "mgda", "uw"], 3, 0)


def test_what_has_finished_runs_stays(plan, costs):
    finished = [run for run in plan.runs if run.arm == MGDA and run.seed == 3]
    assert taken(plan_within(TimeLimit(1.0, **FREE), plan, costs, 1, finished)) == (["sum", "mgda", "uw"], 4, 0)


def test_the_same_limit_chooses_what_study_json_has(plan, costs):
    limit, least = TimeLimit(16.0, **FREE), TimeLimit(1.0, **FREE)
    chosen, too_much = (plan_within(one, plan, costs, 1) for one in (limit, least))
    earlier = json.loads(json.dumps(chosen.describe()))
    assert planned_before(limit, plan, earlier) == chosen
    assert planned_before(least, plan, json.loads(json.dumps(too_much.describe()))) == too_much
    assert planned_before(TimeLimit(17.0, **FREE), plan, earlier) is None
    assert planned_before(limit, make_plan(CASE, ["sum", "uw"], range(5), epochs=10, tuned_trials=4), earlier) is None
    assert planned_before(limit, plan, plan.describe()) is None
    assert planned_before(limit, plan, {}) is None


def test_what_is_left_for_later_is_listed_with_its_minutes(plan, costs):
    chosen = plan_within(TimeLimit(1.0, **FREE), plan, costs, 1)
    assert postponed_note(chosen.describe()) == [
        "Left for later, as the least that can be judged takes about 11 minutes, more than the 1 minute: single-task, "
        "mgda and tuned, and seeds 3 and 4, about 64 minutes more."
    ]
    (note,) = postponed_note(plan_within(TimeLimit(16.0, **FREE), plan, costs, 1).describe())
    assert note.startswith("Left for later, to have a verdict within 16 minutes: ")
    assert postponed_note(plan.describe()) == []


@pytest.mark.parametrize(
    ("named", "limit"),
    [
        ({}, TimeLimit(5.0, **FREE)),
        ({"methods": ["sum"]}, None),
        ({"seeds": 3}, None),
        ({"question": "sharing"}, None),
        ({"looks": 2}, None),
        ({"minutes": math.inf}, None),
        ({"tuned_trials": 0, "single_task": 1}, TimeLimit(5.0, methods=True)),
        ({"minutes": 2.0, "methods": ["sum"]}, TimeLimit(2.0, tuned=True, single_task=True)),
        ({"minutes": 2.0, "question": "tuned"}, TimeLimit(2.0)),
    ],
)
def test_five_minutes_are_the_default_of_what_nobody_named(named, limit):
    nothing = dict.fromkeys(["minutes", "methods", "seeds", "tuned_trials", "single_task"])
    assert comparing._limit(**{**nothing, "question": "", "looks": 0, **named}) == limit


def test_a_resumed_study_is_the_one_that_was_chosen(plan, costs, tmp_path, monkeypatch):
    """Also where a second timing would choose another; without the limit all of it."""
    trained = []

    def train(study, console, jobs, track, told, execute):
        study.write()
        trained.append((*taken(study.plan), len(told)))

    monkeypatch.setattr(progress, "_run", train)
    timed = [costs, Costs({arm: seconds / 100 for arm, seconds in costs.step.items()}, {False: 0.0, True: 0.0}), costs]
    monkeypatch.setattr(progress, "time_steps", lambda plan, threads: timed.pop(0))
    for limit in (TimeLimit(16.0, **FREE), TimeLimit(16.0, **FREE), None):
        run_plan(plan, tmp_path, Console(quiet=True), 1, limit=limit)
    chosen = (["single-task", "sum", "uw"], 3, 0, 1)
    assert trained == [chosen, chosen, (["single-task", "sum", "mgda", "uw", "tuned"], 5, 4, 1)]
    assert TUNED in plan.arms
