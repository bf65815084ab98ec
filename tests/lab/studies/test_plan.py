from dataclasses import replace

import pytest
import torch
from tiny_case import make_case

import equipoise as eq
from equipoise.lab.arms import parse_arm
from equipoise.lab.evaluation import unequal
from equipoise.lab.files import differences
from equipoise.lab.studies.plan import Run, make_plan


@pytest.fixture(scope="module")
def plan():
    return make_plan("reviews", ["sum", "mgda"], [0, 7], epochs=2)


def test_a_study_is_every_balancing_and_one_network_per_task_with_every_seed(plan):
    tasks = ("rating", "recommended", "department")
    one_seed = [("single-task", (task,)) for task in tasks] + [("sum", tasks), ("mgda", tasks)]
    assert [(str(run.arm), run.tasks, run.seed) for run in plan.runs] == [
        (*run, seed) for seed in (0, 7) for run in one_seed
    ]


def test_settings_are_the_cases_but_for_the_epochs(plan):
    assert plan.settings.epochs == 2
    assert plan.settings.learning_rate == plan.case.learning_rate
    assert make_plan("reviews", ["sum"], [0]).settings.epochs == plan.case.epochs
    given = make_plan("reviews", ["sum"], [0], learning_rate=0.5, clip_norm=2.0).settings
    assert (given.learning_rate, given.clip_norm, given.weight_decay) == (0.5, 2.0, plan.case.weight_decay)


def test_runs_have_folders_of_their_own(plan):
    names = [run.folder_name for run in plan.runs]
    assert names[:4] == [
        "single-task-rating-seed0",
        "single-task-recommended-seed0",
        "single-task-department-seed0",
        "sum-all-seed0",
    ]
    alike = [Run(parse_arm(name), ("rating",), 0).folder_name for name in ("a/b.py:C", "a-b.py:C", "a-b-py-C")]
    assert len({*alike, *names}) == len(alike) + len(names)
    assert not any(character in name for name in alike for character in "/\\:")


@pytest.mark.parametrize(
    ("case", "methods", "seeds", "epochs", "message"),
    [
        ("reviws", ["sum"], [0], None, "unknown case 'reviws'; did you mean 'reviews'"),
        ("reviews", ["nash-mlt"], [0], None, "nash-mtl"),
        ("reviews", ["nash", "nash-mtl"], [0], None, "method nash-mtl is named twice"),
        ("reviews", ["sum", "adatask"], [0], None, "method 'adatask' returns an update, for SGD"),
        ("reviews", ["sum", "uw", "sum"], [0], None, "method sum is named twice"),
        ("reviews", ["sum"], [3, 3], None, "seed 3 is named twice"),
        ("reviews", ["sum", "single-task"], [0], None, "part of every study"),
        ("reviews", [], [0], None, "needs a method and a seed"),
        ("reviews", ["sum"], [], None, "needs a method and a seed"),
        ("reviews", ["sum"], [-1], None, "seeds must not be negative, got -1"),
        ("reviews", ["sum"], [0], 0, "epochs must be at least 1, got 0"),
    ],
)
def test_wrong_arguments(case, methods, seeds, epochs, message):
    with pytest.raises(ValueError, match=message):
        make_plan(case, methods, seeds, epochs=epochs)


def test_what_may_grow_is_no_part_of_the_identity_and_what_changes_a_run_is(plan):
    grown = replace(plan, arms=tuple(map(parse_arm, ("sum", "mgda", "uw"))), seeds=(0, 7, 8))
    assert grown.identity == plan.identity
    longer = replace(plan, settings=replace(plan.settings, epochs=3))
    assert differences(plan.identity, longer.identity) == ["settings.epochs is 2, now 3"]
    other = replace(plan, case=replace(plan.case, data_hash="other"))
    assert len(differences(plan.identity, other.identity)) == 1


def test_a_frozen_method_takes_its_sources_training_too():
    plan = make_plan("reviews", ["sum", "uw", "frozen-uw"], [0])
    trainings = {method: budget["trainings"] for method, budget in plan.budgets.items()}
    assert trainings == {"single-task": 1, "sum": 1, "uw": 1, "frozen-uw": 2}
    assert unequal(plan.budgets, {}) == ("trainings for one run (the others 1, frozen-uw 2)",)


def test_differences_of_missing_keys():
    assert differences({"a": 1}, {"b": {"c": 2}}) == ["a is 1, now None", "b is None, now {'c': 2}"]


class Many:
    """The tiny case with its first task 25 times."""

    @property
    def options(self):
        return {}

    def __call__(self):
        case = make_case()
        names = [f"t{k}" for k in range(25)]
        tasks = eq.Tasks([eq.Task(name, torch.nn.MSELoss(), target="a") for name in names])
        return replace(case, name="many", tasks=tasks, metrics=dict.fromkeys(names, case.metrics["a"]), losses={})


@pytest.mark.parametrize(
    ("asked", "alone"), [({}, 0), ({"single_task": 3}, 3), ({"single_task": 25}, 25), ({"question": "sharing"}, 12)]
)
def test_of_many_tasks_single_task_networks_and_tuned_weights_are_asked_for(asked, alone):
    plan = make_plan(Many(), ["sum"], [0, 1], tuned_trials=None if not asked.get("question") else 0, **asked)
    assert [str(arm) for arm in plan.arms] == ["sum"]
    assert len(plan.alone) == alone
    assert sum(str(run.arm) == "single-task" for run in plan.runs) == 2 * alone
    assert plan.describe().get("single_task", [0] * 25)[:alone] == list(plan.alone) or alone == 25


def test_more_single_task_networks_than_tasks_are_refused():
    with pytest.raises(ValueError, match="single_task must be 0 to 25 tasks, got 26"):
        make_plan(Many(), ["sum"], [0], single_task=26)
