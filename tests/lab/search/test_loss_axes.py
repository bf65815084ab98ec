"""Arguments of losses among what is searched: they reach the loss, and the answer can be pasted."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from planted import direct
from torch import nn

import equipoise as eq
from equipoise import cli, losses
from equipoise.lab.cases import CASES, with_losses
from equipoise.lab.cases.recipe import ReadyCase
from equipoise.lab.search import Job, Random, Search, Space, Trial, training
from equipoise.lab.search.axes import axis, losses_at
from equipoise.lab.search.tables import to_paste
from equipoise.lab.search.training import CaseTraining, objectives
from equipoise.lab.search.tune import SAMPLERS
from equipoise.lab.training import RunResult, Settings

TASKS = ("rating", "recommended", "department")


@pytest.fixture
def focal_case(reviews_case):
    return with_losses(reviews_case, {"recommended": "focal", "rating": "huber:delta=0.3"})


def test_a_range_and_a_choice_begin_at_the_losss_own_value(focal_case):
    gamma = axis("recommended.gamma=0:4", focal_case, "fixed")
    assert (gamma.name, gamma.low, gamma.default, gamma.high, gamma.log) == ("recommended.gamma", 0.0, 2.0, 4.0, False)
    assert axis("rating.delta=0.1:2", focal_case, "fixed").default == 0.3  # chosen with the loss
    assert axis("recommended.gamma=0|1|2", focal_case, "uw").options == (2, 0, 1)


@pytest.mark.parametrize(
    ("word", "low", "high", "default", "log"),
    [
        ("lr", 5e-4, 5e-2, 5e-3, True),  # within a factor of 10 of the case's
        ("wd", 1e-3, 0.9, 0.03, True),  # within one of 30
        ("lr=0.5:5", 0.5, 5.0, 2.5**0.5, True),  # a factor of 10; the case's is outside, so the middle
        ("lr=0.5:4.9", 0.5, 4.9, 2.7, False),
        ("lr=0.001:1", 0.001, 1.0, 5e-3, True),
    ],
)
def test_ranges_of_the_settings(focal_case, word, low, high, default, log):
    case = replace(focal_case, learning_rate=5e-3, weight_decay=0.03)
    found = axis(word, case, "sum")
    assert (found.low, found.high, found.default) == pytest.approx((low, high, default))
    assert found.log is log


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("recommend.gamma=0:4", "no task 'recommend'; did you mean 'recommended'"),
        ("recommended.gama=0:4", "loss 'focal' of 'recommended' has no argument 'gama'; did you mean 'gamma'"),
        ("recommended.gamma=-1:4", "recommended=focal:gamma=-1.0: gamma must lie in"),
        ("recommended.gamma=1|-1", "recommended=focal:gamma=-1.0: gamma must lie in"),
        ("rating.delta=-1:2", "rating=huber:delta=-1.0: .*non-positive values for delta"),
        ("department.tau=1|-1", "department=logit-adjusted:tau=-1.0: tau must lie in"),
        ("recommended.gamma", "give the range of 'recommended.gamma'"),
        (
            "gamma=0:4",
            "nothing named 'gamma' to search: weights, lr, wd, rating.delta, recommended.gamma, dep",
        ),
    ],
)
def test_words_that_mean_no_argument(focal_case, word, message):
    with pytest.raises(ValueError, match=message):
        axis(word, focal_case, "fixed")


def test_a_case_without_losses_by_name_has_none_to_search(focal_case):
    with pytest.raises(ValueError, match=r"case .* knows no losses by name: give one from a file, rating=path"):
        axis("rating.delta=0.1:2", replace(focal_case, losses={}), "fixed")


def test_a_point_gives_the_words_of_the_option(focal_case):
    point = {"lr": 0.1, "rating.delta": 0.25, "recommended.gamma": 1e16, "log(a/b)": 0.0}
    words = losses_at(focal_case, point)
    assert words == {"rating": "huber:delta=0.25", "recommended": "focal:gamma=1e16"}
    assert with_losses(focal_case, words).tasks["recommended"].loss.gamma == 1e16


def test_what_was_chosen_with_the_loss_stays(reviews_case):
    case = with_losses(reviews_case, {"recommended": "asymmetric:clip=0.1"})
    words = losses_at(case, {"recommended.gamma_neg": 2.0})
    assert words == {"recommended": "asymmetric:gamma_neg=2.0"}
    again = with_losses(case, words)
    assert again.chosen == {"recommended": "asymmetric:clip=0.1:gamma_neg=2.0"}
    for made in (again, with_losses(reviews_case, again.chosen)):
        loss = made.tasks["recommended"].loss
        assert (loss.clip, loss.gamma_neg) == (0.1, 2.0)
    assert with_losses(again, {"recommended": "asymmetric:clip=0.2"}).tasks["recommended"].loss.clip == 0.2


class Mine(nn.Module):
    def __init__(self, scale=1.0, squared=True, weight=None):
        super().__init__()
        self.held = (scale, squared, weight)

    def forward(self, outputs, targets):
        return (outputs - targets).square().mean()


@pytest.mark.parametrize("kept", [False, None, torch.ones(2)])
def test_what_a_users_factory_fixes_stays_as_it_is(reviews_case, kept):
    case = replace(reviews_case, losses={"rating": {"mine": partial(Mine, squared=kept, weight=kept)}})
    words = losses_at(case, {"rating.scale": 0.5})
    assert words == {"rating": "mine:scale=0.5"}
    scale, squared, weight = with_losses(case, words).tasks["rating"].loss.held
    assert scale == 0.5
    assert squared is kept
    assert weight is kept


def test_a_truth_value_is_none_of_the_words(reviews_case):
    case = replace(reviews_case, losses={"rating": {"mine": Mine}})
    assert axis("rating.squared=True|False", case, "fixed").options == (True, False)
    assert with_losses(case, losses_at(case, {"rating.squared": False})).tasks["rating"].loss.held[1] is False


def test_a_trial_trains_with_the_loss_of_its_point(small_case, tmp_path, monkeypatch):
    """As the same case with that loss does."""
    case = with_losses(small_case, {"recommended": "focal"})
    by_hand = with_losses(small_case, {"recommended": "focal:gamma=0.5"})
    settings = Settings(1, 32, 1e-2, 0.01, None, 4)

    def trial(name, made, space, point, method="fixed"):
        monkeypatch.setattr(training, "made_once", lambda recipe: made)
        CaseTraining(ReadyCase("reviews"), method, space, settings, 0, tmp_path / name, 1)(Job(0, point), print)
        return RunResult.read(tmp_path / name / "trials" / "0000" / "result.json")

    space = Space(TASKS, (axis("recommended.gamma=0:4", case, "fixed"),))
    weights = dict.fromkeys(space.ratios, 0.0)
    searched = trial("searched", case, space, weights | {"recommended.gamma": 0.5})
    other = trial("other", case, space, weights | {"recommended.gamma": 3.0})
    plain = trial("plain", by_hand, Space(TASKS), weights)
    assert searched.history == plain.history
    assert searched.history != other.history
    assert isinstance(case.tasks["recommended"].loss, losses.BinaryFocalLoss)
    assert case.tasks["recommended"].loss.gamma == 2.0
    users = trial("users", case, space, weights | {"recommended.gamma": 0.5}, "sum")
    assert users.scores == searched.scores


def test_what_is_printed_to_paste_is_python_on_a_narrow_terminal_too(reviews_case, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(CASES, "reviews", lambda: reviews_case)
    monkeypatch.setattr("equipoise.lab.search.training.CaseTraining.__call__", lambda self, job, report: [1.0] * 3)
    run = Search.run
    monkeypatch.setattr(Search, "run", lambda self, work, jobs, _: run(self, work, jobs, execute=direct))
    losses_given = "recommended=asymmetric:gamma_neg=1.2345:clip=0.0123+department=focal+rating=huber:delta=0.25"
    words = ["--loss", losses_given, "--search", "recommended.clip=0.01:0.4", "--trials", "2", "--out", str(tmp_path)]
    assert cli.main(["tune", "reviews", *words]) == 0
    code = capsys.readouterr().out.split("To paste:\n\n")[1].split("\n\n")[0]
    names = {"eq": eq, "case": reviews_case}
    exec(code, names)
    assert names["case"].chosen.keys() == {"recommended", "department", "rating"}
    assert names["case"].tasks["recommended"].loss.gamma_neg == 1.2345


def test_what_is_pasted_makes_the_loss(focal_case, tmp_path):
    space = Space((), (axis("recommended.gamma=0:4", focal_case, "fixed"), axis("lr", focal_case, "fixed")))
    point = {"recommended.gamma": 1.23456, "lr": 0.002}
    search = Search(Random(space, 1), objectives(focal_case), tmp_path)
    code = to_paste(search, Trial(Job(0, point), (1.0,) * 3), "fixed", focal_case)
    losses = "--loss rating=huber:delta=0.3 --loss recommended=focal:gamma=1.235"
    assert f"# on the command line: --learning-rate 0.002 {losses}\n" in code
    names = {"eq": eq, "case": focal_case}
    exec(code, names)
    assert isinstance(names["method"], eq.Sum)  # no weight was searched
    assert names["case"].tasks["recommended"].loss.gamma == 1.235
    assert isinstance(names["case"].tasks["rating"].loss, nn.HuberLoss)


# a population searches weights only, and says so
@pytest.mark.parametrize(
    "sampler",
    [
        pytest.param(name, marks=() if name in ("tpe", "grid") else pytest.mark.slow)
        for name in SAMPLERS
        if name != "population"
    ],
)
def test_every_sampler_finds_the_argument_that_is_best(sampler, reviews_case, tmp_path, monkeypatch, capsys):
    """Instead of a training: an error that is least at gamma = 0.2."""

    def evaluate(self, job, report):
        report(1, 1, 0.5, {})
        case, *_ = self._parts(job)
        miss = abs(case.tasks["recommended"].loss.gamma - 0.2)
        return [1.0, 1 / (1 + miss), 0.5]

    monkeypatch.setitem(CASES, "reviews", lambda: reviews_case)
    monkeypatch.setattr("equipoise.lab.search.training.CaseTraining.__call__", evaluate)
    run = Search.run
    monkeypatch.setattr(Search, "run", lambda self, work, jobs, _: run(self, work, jobs, execute=direct))
    words = ["--loss", "recommended=focal", "--search", "recommended.gamma=0:4", "--sampler", sampler]
    assert cli.main(["tune", "reviews", *words, "--trials", "12", "--out", str(tmp_path)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    found = float(out.split("--loss recommended=focal:gamma=")[1].split()[0])
    assert abs(found - 0.2) < 1.8  # nearer than the default, 2
