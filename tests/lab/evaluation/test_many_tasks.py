"""Of more than 20 tasks the mean is compared first, and a single task only where it differs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import false_discovery_control

from equipoise.lab.evaluation import Summary, TaskMetric, benjamini_hochberg, judgement_of
from equipoise.lab.evaluation.metric import BASELINES
from equipoise.lab.reports.terminal import SummaryView, text_of
from equipoise.lab.studies import write_scores

TASKS = [f"t{k}" for k in range(25)]
METRICS = [TaskMetric(task, "auroc", True, 1.0, 0.5) for task in TASKS]
MEAN = "the mean of 25 tasks"


def values(gains, alone=(), seeds=5):
    """By (method, task, seed): each method's gain on each task over the plain sum, with the chance of a run."""
    generator = np.random.default_rng(0)
    found = {}
    for method, gain in {"sum": 0.0, **gains}.items():
        of_task = np.broadcast_to(gain, len(TASKS))
        chance = 0.002 * generator.normal(size=(len(TASKS), seeds))
        for k, task in enumerate(TASKS):
            found |= {(method, task, seed): 0.7 + of_task[k] + chance[k, seed] for seed in range(seeds)}
    return found | {("single-task", task, seed): 0.7 for task in alone for seed in range(seeds)}


def summary(found, metrics=METRICS, **more):
    methods = list(dict.fromkeys(method for method, _, _ in found))
    return Summary.from_values(found, metrics, methods, range(5), title="Many", **more)


def test_a_mean_that_differs_opens_its_tasks_and_another_does_not():
    trades = [0.05, -0.05] * 12 + [0.0]  # as large differences as any, but none of the mean
    one = summary(values({"uw": [0.05] * 5 + [0.0] * 20, "dwa": trades}))
    assert one.row("uw").means[MEAN].to["sum"].verdict == "better"
    assert [task for task in TASKS if one.row("uw").scores[task].to["sum"].verdict == "better"] == TASKS[:5]
    assert one.row("dwa").means[MEAN].to["sum"].verdict == "no significant difference"
    assert {score.to["sum"].verdict for score in one.row("dwa").scores.values()} == {"no significant difference"}
    assert one.tested == 2 + 1  # two means, and Friedman's test
    assert one.headline.startswith(f"Over 5 seeds, uw is significantly better than the plain sum on {MEAN}")
    for row in one.rows[1:]:  # no task is surer than the mean that opened it
        mean = row.means[MEAN].to["sum"].p_adjusted
        assert all(score.to["sum"].p_adjusted >= mean for score in row.scores.values())


def test_up_to_twenty_tasks_nothing_is_a_mean():
    found = {key: value for key, value in values({"uw": 0.05}).items() if key[1] in TASKS[:20]}
    one = summary(found, METRICS[:20])
    assert not one.means
    assert one.tested == 20
    assert one.shown == one.metrics


def test_a_task_without_any_finite_value_is_left_out_of_the_mean():
    """Such as the AUROC of an assay whose test split has one class: the others are compared all the same."""
    found = {key: math.nan if key[1] == "t3" else value for key, value in values({"uw": 0.05}).items()}
    one = summary(found)
    assert one.row("uw").means["the mean of 24 tasks"].to["sum"].verdict == "better"
    assert one.row("uw").scores["t4"].to["sum"].verdict == "better"
    assert one.row("uw").scores["t3"].to == {}
    assert "no finished run" not in one.headline
    assert not [detail for detail in one.details if "missing" in detail]


def test_a_task_of_which_the_reference_alone_has_no_value_takes_the_verdict_of_no_other():
    found = {key: math.nan if key[:2] == ("sum", "t3") else value for key, value in values({"uw": 0.05}).items()}
    one = summary(found)
    assert one.row("uw").means["the mean of 24 tasks"].to["sum"].verdict == "better"
    assert any("sum on t3: auroc is not finite" in note for note in one.notes)


def test_a_mean_that_no_seed_has_is_no_run_that_is_missing():
    found = {key: math.nan if key[:2] == ("uw", "t3") else value for key, value in values({"uw": 0.05}).items()}
    assert summary(found).headline == "No method is compared with the plain sum: no seed of both has every task."


def test_several_metrics_are_averaged_as_skills_and_unknown_ones_one_by_one():
    others = [replace(metric, name="accuracy", trivial=0.0) if k % 2 else metric for k, metric in enumerate(METRICS)]
    one = summary(values({"uw": 0.1}), others)
    mean = one.row("uw").means[MEAN].to["sum"].interval.mean
    assert one.shown[0].name == "skill"
    assert mean == pytest.approx((13 * 0.1 / 0.5 + 12 * 0.1) / 25, abs=0.01)
    unknown = [replace(metric, perfect=0.0, trivial=0.0) for metric in others]
    assert not summary(values({"uw": 0.1}), unknown).means


def test_of_some_single_task_networks_the_change_is_of_their_tasks_alone():
    some = tuple(TASKS[:3])
    one = summary(values({"uw": [0.07] * 3 + [0.0] * 22}, some), baselines=replace(BASELINES, tasks=some))
    row = one.row("uw")
    assert row.delta_m.mean == pytest.approx(-10.0, abs=0.5)  # 0.77 against 0.70 on the three
    assert row.against.wins == 3
    assert [(task, *score.to) for task, score in row.means.items()] == [
        (MEAN, "sum"),
        ("the mean of 3 tasks", "single-task"),
    ]
    assert not any("no finished run" in note for note in one.notes)  # nobody asked for the others
    assert not any("missing" in detail for detail in one.details)


def test_the_spread_over_the_tasks_stands_in_the_terminal_and_every_task_in_a_file(tmp_path):
    one = summary(values({"uw": [0.05] * 5 + [0.0] * 19 + [-0.04]}))
    (spread,) = one.spreads
    assert (spread.method, spread.other, spread.best[0] in TASKS[:5], spread.worst[0]) == ("uw", "sum", True, "t24")
    assert spread.better + spread.worse == 25
    text = text_of(SummaryView(one))
    assert MEAN in text
    assert f"{spread.better} ({spread.verdicts[0]})" in text
    assert "t7" not in text
    write_scores(tmp_path, one)
    lines = (tmp_path / "tasks.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + 2 * (1 + 25)  # two methods, the mean and each task
    assert judgement_of(one).of("uw", MEAN).decision == judgement_of(one).of("uw", "t0").decision == "better"


def test_the_false_discovery_rate_is_scipys_and_what_was_not_tested_stays_out():
    p = np.random.default_rng(0).random(30) ** 2
    assert benjamini_hochberg(p.tolist()) == pytest.approx(false_discovery_control(p).tolist())
    assert math.isnan(benjamini_hochberg([0.01, math.nan])[1])
    assert benjamini_hochberg([0.01, math.nan])[0] == 0.01


def test_models_of_scikit_learn_that_learned_some_of_many_tasks_have_no_row():
    some = {"linear (scikit-learn)": dict.fromkeys(TASKS[:20], 0.9)}
    one = summary(values({"uw": 0.05}), baseline_scores=some)
    assert one.shown_baselines == {}
    assert "(and 19 more tasks like it)" in one.cautions[0]
    assert "\nlinear  " not in text_of(SummaryView(one))
