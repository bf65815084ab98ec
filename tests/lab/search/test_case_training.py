"""A trial of a case: what it reads, and that stages go on as if they had never stopped."""

import math
from dataclasses import replace

import pytest
import torch
from torch.utils.data import Dataset

import equipoise as eq
from equipoise.lab.cases.recipe import ReadyCase
from equipoise.lab.search import Job, Space, training
from equipoise.lab.search.axes import axis
from equipoise.lab.search.tables import to_paste
from equipoise.lab.search.training import CaseTraining, objectives
from equipoise.lab.training import RunResult, Settings

TASKS = ("rating", "recommended", "department")
SPACE = Space(TASKS)
POINT = SPACE.at_weights({"rating": 2.0, "recommended": 1.0, "department": 3.0})


@pytest.fixture
def work(small_case, tmp_path, monkeypatch):
    monkeypatch.setattr(training, "made_once", lambda recipe: small_case)

    def make(name, method="fixed", space=SPACE):
        settings = Settings(4, 32, 1e-2, 0.01, None, 4)
        return CaseTraining(ReadyCase("reviews"), method, space, settings, 0, tmp_path / name, 1)

    return make


def silent(*details):
    """Nobody looks."""


def test_stages_are_one_training(work):
    staged, whole = work("staged"), work("whole")
    epochs = []
    first = staged(Job(0, POINT, 0.25), lambda *details: epochs.append(details[:2]))
    assert staged(Job(0, POINT, 0.25), silent) == first  # asked again, it does no epoch more
    staged(Job(1, POINT, 0.5, 0), lambda *details: epochs.append(details[:2]))
    last = staged(Job(2, POINT, 1.0, 1), lambda *details: epochs.append(details[:2]))
    assert epochs == [(1, 1), (2, 2), (3, 4), (4, 4)]
    assert last == whole(Job(0, POINT), silent)
    one, other = (
        RunResult.read(folder / "trials" / number / "result.json")
        for folder, number in ((staged.folder, "0002"), (whole.folder, "0000"))
    )
    assert one.history == other.history
    assert first == [
        next(v for e, split, t, q, v in other.history if (e, split, t, q) == (1, "validation", task, metric))
        for task, metric in (("rating", "rmse"), ("recommended", "auroc"), ("department", "accuracy"))
    ]


class Unread(Dataset):
    """A test split that nobody may look into."""

    def __len__(self):
        return 100

    def __getitem__(self, index):
        raise AssertionError("the test split was read")


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_a_trial_does_not_read_the_test_split(work, small_case, monkeypatch, share):
    case = replace(small_case, data={**small_case.data, "test": Unread()})
    monkeypatch.setattr(training, "made_once", lambda recipe: case)
    evaluate = work("unread")
    assert all(map(math.isfinite, evaluate(Job(0, POINT, share), silent)))
    if share == 1.0:
        result = RunResult.read(evaluate.folder / "trials" / "0000" / "result.json")
        assert {split for split, *_ in result.scores} == {"validation"}


def test_values_are_those_of_the_kept_epoch_on_validation(work):
    evaluate = work("one")
    evaluate = replace(evaluate, settings=replace(evaluate.settings, epochs=9, learning_rate=0.3, patience=1))
    values = evaluate(Job(0, POINT), silent)
    result = RunResult.read(evaluate.folder / "trials" / "0000" / "result.json")
    assert result.best_epoch < result.epochs
    scores = {(split, task, metric): value for split, task, metric, value in result.scores}
    assert values == [
        pytest.approx(scores["validation", task, metric], rel=1e-5)
        for task, metric in (("rating", "rmse"), ("recommended", "auroc"), ("department", "accuracy"))
    ]


def test_values_are_of_each_tasks_first_metric(work, small_case, monkeypatch):
    second = {task: (*metrics, replace(metrics[0], name="second")) for task, metrics in small_case.metrics.items()}
    second = {
        task: (first, replace(other, compute=lambda outputs, targets: -9.0)) for task, (first, other) in second.items()
    }
    case = replace(small_case, metrics=second)
    monkeypatch.setattr(training, "made_once", lambda recipe: case)
    assert -9.0 not in work("two")(Job(0, POINT, 0.25), silent)
    assert [objective.metric for objective in objectives(case)] == ["rmse", "auroc", "accuracy"]


def test_a_copy_goes_on_with_other_weights(work):
    """Population: the parent's network and optimiser, the child's weights."""
    evaluate = work("population")
    child_point = SPACE.at_weights({"rating": 1.0, "recommended": 5.0, "department": 1.0})
    evaluate(Job(0, POINT, 0.5), silent)
    evaluate(Job(1, child_point, 1.0, 0), silent)
    evaluate(Job(2, POINT, 1.0, 0), silent)
    parent = torch.load(evaluate.folder / "trials" / "0000" / "checkpoint.pt", weights_only=True)
    other, same = (RunResult.read(evaluate.folder / "trials" / number / "result.json") for number in ("0001", "0002"))
    shared = parent["progress"]["history"]
    assert other.history[: len(shared)] == same.history[: len(shared)] == shared
    assert other.history != same.history
    weights = {task: value for epoch, _, task, what, value in other.history if (epoch, what) == (4, "weight")}
    assert weights == pytest.approx(SPACE.weights(child_point))


def test_a_copy_goes_on_with_its_own_learning_rate_and_weight_decay(work, reviews_case):
    """Population: the optimiser's memory is the parent's, its settings are the child's."""
    evaluate = work("rates", "sum", Space((), (axis("lr", reviews_case, "sum"), axis("wd", reviews_case, "sum"))))
    evaluate(Job(0, {"lr": 0.003, "wd": 0.02}, 0.25), silent)
    evaluate(Job(1, {"lr": 0.001, "wd": 0.04}, 0.5, 0), silent)
    state = torch.load(evaluate.folder / "trials" / "0001" / "checkpoint.pt", weights_only=True)
    assert [(group["lr"], group["weight_decay"]) for group in state["parts"]["optimizer"]["param_groups"]] == [
        (0.001, 0.04)
    ]


def test_weights_are_the_users_where_the_method_is_another(work, small_case):
    """The plain sum with a user's weights and fixed weights are one training."""
    assert work("a", "fixed")(Job(0, POINT), silent) == pytest.approx(work("b", "sum")(Job(0, POINT), silent))
    assert all(task.weight == 1.0 for task in small_case.tasks)


def test_settings_are_taken_from_the_point(work, reviews_case):
    space = Space(
        (),
        (
            axis("lr", reviews_case, "dwa"),
            axis("wd", reviews_case, "dwa"),
            axis("temperature=1:4", reviews_case, "dwa"),
        ),
    )
    evaluate = work("settings", "dwa", space)
    evaluate(Job(0, {"lr": 0.003, "wd": 0.02, "temperature": 3.0}), silent)
    run = RunResult.read(evaluate.folder / "trials" / "0000" / "result.json").run
    assert "DWA(temperature=3.0)" in run
    assert "learning_rate=0.003, weight_decay=0.02" in run


def test_axes(reviews_case):
    lr = axis("lr", reviews_case, "fixed")
    assert (lr.low, lr.default, lr.high, lr.log) == pytest.approx((1e-3, 1e-2, 1e-1, True))
    assert axis("lr=1e-4:1e-2", reviews_case, "fixed").at(0.5) == pytest.approx(1e-3)
    alpha = axis("alpha=0.5:2", reviews_case, "gradnorm")
    assert (alpha.log, alpha.default) == (False, 1.5)
    assert axis("alpha=0|1.5|3", reviews_case, "gradnorm").options == (1.5, 0, 3)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("beta=1:2", "nothing named 'beta' to search: weights, lr, wd, alpha, lr"),
        ("alpha", "give the range of 'alpha'"),
        ("alpha=2", "must be LOW:HIGH or A|B, got '2'"),
        ("alpha=2:1", "must be finite and rising, got 2.0:1.0"),
        ("alpha=a:b", "must be LOW:HIGH"),
        ("alpha=1|1", "two options or more, each once"),
    ],
)
def test_words_that_cannot_be_read(word, message, reviews_case):
    with pytest.raises(ValueError, match=message.replace("|", r"\|")):
        axis(word, reviews_case, "gradnorm")


def test_what_is_pasted_makes_the_method(reviews_case, tmp_path):
    from equipoise.lab.search import Random, Search, Trial

    space = Space(TASKS, (axis("lr", reviews_case, "fixed"),))
    search = Search(Random(space, 1), objectives(reviews_case), tmp_path)
    trial = Trial(Job(0, {**POINT, "lr": 0.002}), (1.0, 1.0, 1.0))
    names = {"eq": eq}
    exec(to_paste(search, trial, "fixed", reviews_case), names)
    assert names["method"].weights == dict(zip(TASKS, [1.0, 0.5, 1.5], strict=True))
    assert names["learning_rate"] == 0.002
    names = {"eq": eq, "balancer": eq.Balancer(eq.Sum(), torch.nn.Linear(1, 1), tasks=TASKS)}
    exec(to_paste(search, trial, "sum", reviews_case), names)
    assert names["balancer"].user_weights == dict(zip(TASKS, [1.0, 0.5, 1.5], strict=True))
    assert math.isclose(names["learning_rate"], 0.002)
