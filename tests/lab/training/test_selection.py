import math

import pytest
import torch

from equipoise.lab.cases import Metric
from equipoise.lab.training import Settings
from equipoise.lab.training.checkpoint import Progress, keep_better
from equipoise.lab.training.selection import best_epoch, kept_criteria, mean_skill, score, should_stop, skill

ERROR = Metric("error", higher_is_better=False, perfect=0.0, trivial=2.0, compute=lambda outputs, targets: 0.0)
SHARE = Metric("share", higher_is_better=True, perfect=1.0, trivial=0.6, compute=lambda outputs, targets: 0.0)


@pytest.mark.parametrize(
    ("value", "metric", "expected"),
    [(2.0, ERROR, 0), (0.0, ERROR, 1), (0.5, ERROR, 0.75), (3.0, ERROR, -0.5), (0.6, SHARE, 0), (0.7, SHARE, 0.25)],
)
def test_skill_is_0_for_a_constant_and_1_when_perfect(value, metric, expected):
    assert skill(value, metric) == pytest.approx(expected)


def test_skill_of_what_cannot_be_learnt_is_an_error():
    with pytest.raises(ValueError, match="'share'"):
        skill(0.5, Metric("share", True, 1.0, 1.0, SHARE.compute))


def test_mean_skill_takes_the_first_metric_of_each_task_present():
    metrics = {"a": (ERROR, SHARE), "b": (SHARE,), "absent": (SHARE,)}
    values = {"a": {"error": 1.0, "share": 1.0, "loss": 9.0}, "b": {"share": 0.6, "loss": 9.0}}
    assert mean_skill(values, metrics) == pytest.approx((0.5 + 0.0) / 2)


def test_best_epoch_is_the_first_of_the_largest_and_nan_is_below_all():
    assert best_epoch([0.1, 0.3, 0.2, 0.3]) == 2
    assert best_epoch([math.nan, -5.0, math.nan]) == 2
    assert best_epoch([math.nan, math.nan]) == 1


def test_stop_after_patience_epochs_in_a_row_without_a_better_one():
    skills = [0.1, 0.3, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1]
    assert [should_stop(skills[:n], patience=3) for n in range(1, 9)] == [False] * 7 + [True]
    assert [should_stop(skills[:n], patience=2) for n in range(1, 5)] == [False, False, False, True]
    assert not any(should_stop([0.1 * n for n in range(1, length)], patience=1) for length in range(2, 6))


@pytest.mark.parametrize(
    ("shares", "epoch"),
    [([0.7, 0.9, 0.9, 0.8], 2), ([math.nan, 0.5, math.nan], 2), ([math.nan, math.nan], 1), ([0.8, 0.7, 0.9], 3)],
)
def test_the_weights_kept_are_those_of_the_best_epoch_as_it_was(shares, epoch):
    """The first of the largest, whatever the network becomes after it."""
    progress, network = Progress(), torch.nn.Linear(1, 1)
    for number, share in enumerate(shares, start=1):
        torch.nn.init.constant_(network.weight, number)
        progress.scores.append(share)
        keep_better(progress, ["a"], {"a": {"share": share}}, {"a": (SHARE,)}, network)
    kept = progress.best["a"]
    assert kept["epoch"] == kept["weights"]["weight"].item() == best_epoch(shares) == epoch
    assert kept["score"] == pytest.approx(skill(shares[epoch - 1], SHARE), nan_ok=True)


METRICS = {"a/b": (ERROR, SHARE), "a": (SHARE,)}
VALUES = {"a/b": {"error": 1.0, "share": 0.7, "loss": 9.0}, "a": {"share": 0.6, "loss": 8.0}}


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [("skill", 0.25), ("a/b", 0.5), ("a/b/error", 0.5), ("a/b/share", 0.25), ("a", 0.0), ("a/loss", -8.0)],
)
def test_a_criterion_is_larger_where_an_epoch_is_better(criterion, expected):
    assert score(criterion, VALUES, METRICS) == pytest.approx(expected)


def test_a_criterion_of_a_task_that_is_not_trained_leaves_the_mean_skill():
    assert score("a/b/share", {"a": VALUES["a"]}, METRICS) == mean_skill({"a": VALUES["a"]}, METRICS)


@pytest.mark.parametrize(("criterion", "near"), [("skil", "skill"), ("a/shar", "a/share"), ("a/error", "a/b/error")])
def test_an_unknown_criterion_is_named_with_the_nearest(criterion, near):
    with pytest.raises(ValueError, match=f"selected by '{criterion}'; did you mean '{near}'"):
        score(criterion, VALUES, METRICS)


def test_what_is_kept_is_of_trained_tasks_once_and_begins_with_what_selects():
    settings = Settings(1, 1, 0.1, 0.0, None, 1, select="a/loss", keep=("a/b", "skill", "a/loss"), task_patience=1)
    assert kept_criteria(settings, ["a/b", "a"], METRICS) == ("a/loss", "a/b", "skill", "a")
    assert kept_criteria(settings, ["a"], METRICS) == ("a/loss", "skill", "a")
