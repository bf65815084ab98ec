"""Questions, tuned weights and frozen ones: which runs there are, and which weights they have."""

import json
import math
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import equipoise as eq
from equipoise.lab.arms import parse_arm
from equipoise.lab.evaluation import Summary
from equipoise.lab.search import Job
from equipoise.lab.studies import Event, Study, make_plan
from equipoise.lab.studies.derived_methods import WeightSearch, derived_method, write_tuned
from equipoise.lab.studies.plan import Run, method_files
from equipoise.lab.studies.questions import arms_for, find_question
from equipoise.lab.training import RunResult

AB = eq.Tasks([eq.Task(name, torch.nn.MSELoss()) for name in "ab"])
CASE = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"


def direct(work, items, jobs):
    """``run_jobs`` in this process, one after another."""
    for item in items:
        assert item is not None, "alone, nothing ever has to wait"
        yield Event("started", item)
        try:
            yield Event("finished", item, (work(item, lambda *details: None),))
        except ValueError as error:
            yield Event("failed", item, (str(error), str(error)))


def finish(study, execute=direct):
    """The whole study, its search first."""
    list(study.run(1, execute=execute))
    return study


def result(study, method, seed=0):
    return RunResult.read(study.folder / "runs" / Run(parse_arm(method), ("a", "b"), seed).folder_name / "result.json")


def weights_in(found):
    """By epoch and task, as the training recorded them."""
    return {(e, task): value for e, split, task, quantity, value in found.history if quantity == "weight"}


@pytest.mark.parametrize(
    ("question", "methods", "trials", "expected"),
    [
        ("", ("sum", "uw"), 0, ("sum", "uw")),
        ("", ("sum", "uw"), 4, ("sum", "uw", "tuned")),
        ("sharing", ("sum",), 0, ("sum",)),
        ("tuned", ("uw",), 4, ("sum", "uw", "tuned")),
        ("freeze", ("uw", "mgda"), 0, ("sum", "uw", "frozen-uw", "mgda", "frozen-mgda")),
        ("freeze", ("sum", "uw", "frozen-uw"), 0, ("sum", "uw", "frozen-uw")),
    ],
)
def test_what_a_question_trains(question, methods, trials, expected):
    assert [*map(str, arms_for(question, tuple(map(parse_arm, methods)), trials))] == [*expected]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"question": "shring"}, "unknown question 'shring'; did you mean 'sharing'"),
        ({"question": "sharing"}, "question sharing trains sum only"),
        ({"question": "tuned"}, "question tuned needs tuned_trials of at least 1"),
        ({"question": "freeze", "methods": ["sum"]}, "question freeze needs a method"),
        ({"question": "freeze", "methods": ["graddrop"]}, "graddrop decides no one weight for each task"),
        ({"question": "freeze", "methods": ["metabalance"]}, "metabalance decides no one weight for each task"),
        ({"methods": ["frozen-uw"]}, "frozen-uw takes its weights from uw: add it to the methods"),
        ({"methods": ["tuned"]}, "tuned is made by a search: leave it out of the methods"),
        ({"tuned_trials": -1}, "tuned_trials must be at least 0, got -1"),
    ],
)
def test_what_cannot_be_asked(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_plan(CASE, **{"methods": ["sum", "uw"], "seeds": [0], **arguments})


def test_no_question_is_a_question():
    assert find_question("") == ""


def test_the_budget_of_tuned_weights_is_stated():
    plan = make_plan(CASE, ["sum", "uw"], [0], tuned_trials=7)
    trials = {method: budget["trials"] for method, budget in plan.budgets.items()}
    assert trials == {"single-task": 1, "sum": 1, "uw": 1, "tuned": 7}
    assert plan.describe()["tuned_trials"] == 7


def test_a_frozen_method_in_a_file_is_marked_once_as_its_source(tmp_path):
    file = tmp_path / "mine.py"
    file.write_text("from equipoise import UW as Mine\n")
    assert set(method_files(map(parse_arm, (f"{file}:Mine", f"frozen-{file}:Mine")))) == {f"{file}:Mine"}


def test_the_longest_runs_of_a_seed_come_first_and_frozen_ones_after_their_source(tmp_path):
    plan = make_plan(CASE, ["sum", "frozen-uw", "uw", "mgda"], [5, 1])
    study = Study(plan, tmp_path)
    order = []
    for run in study._queue():
        assert run is not None
        order.append(run)
        study.results[run] = None
    assert [run.seed for run in order] == [5] * 6 + [1] * 6
    first = [str(run.arm) for run in order[:6]]
    assert first[0] == "mgda"
    assert first[-2:] == ["single-task"] * 2
    assert first.index("uw") < first.index("frozen-uw")


def test_a_run_whose_source_is_still_at_work_waits_and_one_whose_source_failed_does_not(tmp_path):
    study = Study(make_plan(CASE, ["uw", "frozen-uw"], [0]), tmp_path)
    queue = study._queue()
    given = [next(queue) for _ in range(4)]
    assert [run and str(run.arm) for run in given] == ["uw", "single-task", "single-task", None]
    study.failures[given[0]] = "no luck"
    assert str(next(queue).arm) == "frozen-uw"


def test_frozen_weights_are_those_of_the_last_epoch_of_the_same_seed(tmp_path):
    study = finish(Study(make_plan(CASE, ["uw", "frozen-uw"], [0, 3]), tmp_path))
    assert not study.failures
    for seed in (0, 3):
        source, frozen = result(study, "uw", seed), result(study, "frozen-uw", seed)
        last = {task: weights_in(source)[source.epochs, task] for task in "ab"}
        assert last["a"] != last["b"]
        for epoch in range(1, frozen.epochs + 1):
            for task in "ab":
                assert weights_in(frozen)[epoch, task] == pytest.approx(last[task], rel=1e-5)
    assert weights_in(result(study, "frozen-uw", 0)) != weights_in(result(study, "frozen-uw", 3))


def test_a_task_that_stopped_is_frozen_at_the_last_weight_it_had(tmp_path):
    history = [(1, "train", "a", "weight", 0.5), (1, "train", "b", "weight", 2.0), (2, "train", "a", "weight", 0.7)]
    source = tmp_path / "result.json"
    RunResult([], history, 1, 2, 2, 1.0, 1.0, 1.0, 1.0, False, 0, 0, stopped_tasks={"b": 1}).write(source)
    assert derived_method(parse_arm("frozen-uw"), AB, ("a", "b"), tmp_path, source).weights == {"a": 0.7, "b": 2.0}


def test_a_frozen_weight_is_the_effective_one_whatever_the_task_weighs_itself(tmp_path):
    tasks = eq.Tasks([eq.Task("a", torch.nn.MSELoss(), weight=4.0), eq.Task("b", torch.nn.MSELoss())])
    history = [(1, "train", "a", "weight", 2.0), (1, "train", "b", "weight", 3.0)]
    source = tmp_path / "result.json"
    RunResult([], history, 1, 2, 2, 1.0, 1.0, 1.0, 1.0, False, 0, 0).write(source)
    net = torch.nn.Linear(1, 2)
    balancer = eq.Balancer(
        derived_method(parse_arm("frozen-uw"), tasks, ("a", "b"), tmp_path, source), net, tasks=tasks
    )
    balancer(dict(zip("ab", net(torch.ones(1)), strict=True))).backward()
    assert balancer.record.weights == {"a": 2.0, "b": 3.0}


def test_a_finished_study_cannot_claim_other_trials_than_were_made(tmp_path):
    Study(make_plan(CASE, ["sum"], [0], tuned_trials=5), tmp_path).write()
    write_tuned(tmp_path, {"trials": 5, "seed": 0, "weights": {"a": 1.0, "b": 1.0}})
    with pytest.raises(ValueError, match="tuned with 5 trials, not 50"):
        Study(make_plan(CASE, ["sum"], [0], tuned_trials=50), tmp_path)
    Study(make_plan(CASE, ["sum"], [0]), tmp_path)  # to leave them out is no claim


def test_frozen_weights_fail_with_their_source(tmp_path, monkeypatch):
    train = eq.lab.studies.worker.train
    monkeypatch.setattr(
        "equipoise.lab.studies.worker.train",
        lambda case, names, method, *rest: (
            train(case, names, method, *rest) if not isinstance(method, eq.UW) else 1 / 0
        ),
    )

    def failing(work, items, jobs):
        for item in items:
            try:
                yield Event("finished", item, (work(item, lambda *details: None),))
            except (ValueError, ZeroDivisionError) as error:
                yield Event("failed", item, (str(error), str(error)))

    study = finish(Study(make_plan(CASE, ["sum", "uw", "frozen-uw"], [0]), tmp_path), failing)
    assert [str(run) for run in study.failures] == ["uw, seed 0", "frozen-uw, seed 0"]
    assert (
        "no weights of uw to freeze: its run has not ended well"
        in study.failures[Run(parse_arm("frozen-uw"), ("a", "b"), 0)]
    )


def test_every_training_has_the_threads_that_the_study_began_with(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 6)
    study = Study(make_plan(CASE, ["sum"], [0], tuned_trials=1), tmp_path)
    next(study.run(3, execute=direct))
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    finish(Study(study.plan, tmp_path))
    assert given == [2] * 5  # a trial, two networks of one task, sum and tuned


def test_tuned_weights_are_the_best_trial_and_every_seed_trains_with_them(tmp_path):
    study = finish(Study(make_plan(CASE, ["sum"], [2, 4], tuned_trials=5), tmp_path))
    about = json.loads((tmp_path / "tuned.json").read_text())
    search = WeightSearch(study.plan, tmp_path / "tuned").search
    assert search.complete
    assert min(search.changes, key=search.changes.get) == about["trial"]
    assert about["delta_m"] == search.changes[about["trial"]] <= 0.0  # equal weights are among the trials
    assert sum(about["weights"].values()) == pytest.approx(2.0)
    for seed in (2, 4):
        assert weights_in(result(study, "tuned", seed))[1, "a"] == pytest.approx(about["weights"]["a"])
    trained_alike = RunResult.read(tmp_path / "tuned" / "trials" / f"{about['trial']:04d}" / "result.json")
    on_validation = [score for score in result(study, "tuned", 2).scores if score[0] == "validation"]
    assert on_validation == trained_alike.scores  # the trial and the run are one training, but for the test split
    summary = Summary.from_folder(tmp_path)
    assert any("the best of 5 trials on validation with seed 2" in note for note in summary.notes)
    assert "search trials (" in summary.unequal[0]
    assert "tuned 5" in summary.unequal[0]


def test_weights_are_tried_evenly_in_the_logarithm_up_to_ten_times_the_first_tasks(tmp_path):
    plan = make_plan(CASE, ["sum"], [3], tuned_trials=400)
    strategy = WeightSearch(plan, tmp_path).search.strategy
    weights = [strategy.space.weights(strategy.job(number, {}).point) for number in range(400)]
    assert weights[0] == {"a": 1.0, "b": 1.0}
    logs = [math.log10(one["b"] / one["a"]) for one in weights[1:]]
    assert all(abs(sum(log < q for log in logs) / 399 - (q + 1) / 2) < 0.06 for q in (-0.95, -0.5, 0.0, 0.5, 0.95))
    assert -1 <= min(logs) < max(logs) <= 1


def test_what_the_search_found_is_told_as_soon_as_it_ends(tmp_path):
    study = Study(make_plan(CASE, ["sum"], [0], tuned_trials=1), tmp_path)
    with closing(study.run(1, execute=direct)) as events:
        while isinstance(next(events).item, Job):
            pass  # until the first run starts
        assert json.loads((tmp_path / "study.json").read_text())["tuned"]["weights"] == {"a": 1.0, "b": 1.0}


def test_equal_weights_as_the_tuned_ones_are_the_plain_sum(tmp_path):
    study = finish(Study(make_plan(CASE, ["sum"], [0], tuned_trials=1), tmp_path))
    assert result(study, "tuned").scores == result(study, "sum").scores


def test_a_search_without_an_answer_costs_the_tuned_runs_only(tmp_path, monkeypatch):
    def broken(self, job, report):
        raise ValueError("as planned")

    monkeypatch.setattr("equipoise.lab.search.training.CaseTraining.__call__", broken)
    study = finish(Study(make_plan(CASE, ["sum"], [0], tuned_trials=2), tmp_path))
    assert [str(run.arm) for run in study.failures] == ["tuned"]
    assert "no trial ended well" in study.failures[Run(parse_arm("tuned"), ("a", "b"), 0)]
    assert any("no trial ended well" in note for note in Summary.from_folder(tmp_path).notes)


def test_another_number_of_trials_is_another_search(tmp_path):
    plan = make_plan(CASE, ["sum"], [0], tuned_trials=1)
    begun, other = Study(plan, tmp_path), Study(replace(plan, tuned_trials=2), tmp_path)
    next(begun.run(1, execute=direct))  # begun, but no weights are there yet
    with pytest.raises(ValueError, match="choose another folder"):
        next(other.run(1, execute=direct))


def test_tuned_weights_are_in_the_order_of_the_tasks(tmp_path):
    write_tuned(tmp_path, {"weights": {"b": 0.5, "a": 1.5}})
    assert derived_method(parse_arm("tuned"), AB, ("a", "b"), tmp_path, None).weights == {"a": 1.5, "b": 0.5}
    with pytest.raises(ValueError, match="no tuned weights: the search has not ended"):
        derived_method(parse_arm("tuned"), AB, ("a", "b"), tmp_path / "elsewhere", None)


def test_one_task_has_no_weights_to_tune():
    case = make_plan(CASE, ["sum"], [0]).case
    alone = replace(case, tasks=eq.Tasks([case.tasks["a"]]))

    class Recipe:
        def __call__(self):
            return alone

    with pytest.raises(ValueError, match="case tiny has one task"):
        make_plan(Recipe(), ["sum"], [0], tuned_trials=3)
