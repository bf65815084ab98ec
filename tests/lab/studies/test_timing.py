"""How long a study takes is told from a few steps of its own, and changes nothing but the number of seeds, if asked."""

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from rich.console import Console

from equipoise.lab.arms import SINGLE_TASK, SUM, MethodArm
from equipoise.lab.studies import make_plan, progress, run_plan
from equipoise.lab.studies.sizes import TimeLimit
from equipoise.lab.studies.timing import AROUND, Costs, shorter, time_steps

CASE = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"
MGDA = MethodArm("mgda")


@pytest.fixture
def plan():
    return make_plan(CASE, ["sum", "mgda"], range(6), epochs=10, tuned_trials=4)


@pytest.fixture
def costs():
    """60 samples in batches of 10 are 6 steps: a run of sum takes 10 · (6 · 1 + 4) = 100 s."""
    return Costs({SUM: 1.0, MGDA: 6.0, SINGLE_TASK: 0.5}, {False: 4.0, True: 2.0})


def test_minutes_are_those_of_all_runs_and_trials_over_the_processes(plan, costs):
    one = {str(run.arm): costs.of_run(plan, run) for run in plan.runs}
    assert one == {"single-task": 50.0, "sum": 100.0, "mgda": 400.0, "tuned": 100.0}
    seconds = 6 * (2 * 50 + 100 + 400 + 100) + 4 * 100
    assert costs.minutes(plan, plan.runs, 4, 2) == pytest.approx(seconds / 2 / 60)
    assert costs.minutes(plan, [run for run in plan.runs if run.arm == MGDA][:1], 0, 4) == pytest.approx(400 / 60)
    assert replace(costs, around=30.0).minutes(plan, plan.runs, 4, 2) == pytest.approx((seconds / 2 + 30) / 60)


def test_what_takes_less_is_fewer_seeds_no_search_or_fewer_epochs(plan, costs):
    assert dict(shorter(plan, costs, 1, 4)) == {
        "3 seeds": pytest.approx((3 * 700 + 400) / 60),
        "no tuned weights": pytest.approx(6 * 600 / 60),
        "5 epochs": pytest.approx((6 * 700 + 400) / 2 / 60),
    }
    beginning = make_plan(CASE, ["sum", "uw", "mgda"], range(6), epochs=10, tuned_trials=4)
    cheap = Costs({**costs.step, MethodArm("uw"): 1.2}, costs.epoch)
    assert dict(shorter(beginning, cheap, 1, 4))["3 seeds of sum, uw as a beginning"] == pytest.approx(3 * 312 / 60)
    assert not shorter(make_plan(CASE, ["sum"], [0], epochs=6), costs, 1, 0)  # of 3 epochs none can tell


def test_timing_leaves_generators_and_threads_alone(plan):
    torch.manual_seed(3)
    python, state, threads = random.getstate(), torch.get_rng_state(), torch.get_num_threads()
    found = time_steps(plan, 1)
    assert set(found.step) == {SUM, MGDA, SINGLE_TASK}
    assert found.around == AROUND
    assert all(seconds > 0 for seconds in (*found.step.values(), *found.epoch.values()))
    assert random.getstate() == python
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads


def test_seeds_that_do_not_fit_are_said_and_a_case_that_fails_is_not_timed(tmp_path, costs, monkeypatch):
    def fail(plan, threads):
        raise RuntimeError("no such layer")

    trained = []
    monkeypatch.setattr(
        progress, "_run", lambda study, console, jobs, track, told, execute: trained.append((study.plan.seeds, *told))
    )
    monkeypatch.setattr(progress, "time_steps", lambda plan, threads: costs)
    plan = make_plan(CASE, ["sum"], range(6), epochs=10)
    run_plan(plan, tmp_path, Console(), 1, limit=TimeLimit(0.5))
    monkeypatch.setattr(progress, "time_steps", fail)
    run_plan(plan, tmp_path, Console(), 1)
    assert trained == [
        (
            (0, 1, 2),
            "9 runs take at most about 10 minutes on 1 process; with 5 epochs about 5 minutes.",
        ),
        (plan.seeds, "No estimate of the time: RuntimeError: no such layer"),
    ]


def test_what_takes_less_in_the_same_words_is_not_said(tmp_path, monkeypatch):
    """Three epochs of 3 · 6 steps and 8 s between them are 78 s, two 52 s: about a minute both."""
    told = []
    monkeypatch.setattr(progress, "_run", lambda study, console, jobs, track, lines, execute: told.extend(lines))
    costs = Costs({SUM: 1.0, SINGLE_TASK: 1.0}, {False: 4.0, True: 2.0})
    monkeypatch.setattr(progress, "time_steps", lambda plan, threads: costs)
    run_plan(make_plan(CASE, ["sum"], [0], epochs=3), tmp_path, Console(), 1)
    assert told == ["3 runs take at most about 1 minute on 1 process."]
