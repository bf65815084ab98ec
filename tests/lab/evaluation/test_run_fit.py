"""Whether runs were trained long enough: the rule on constructed curves, and what a study says of it."""

import io
import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from equipoise.lab.api.results import Results
from equipoise.lab.evaluation import StudyResults, Summary, judge_run, run_fits
from equipoise.lab.evaluation.cautions import fit_cautions
from equipoise.lab.evaluation.fit import RunFit, RunFits
from equipoise.lab.evaluation.study import BaselineScore, RunCost, RunScore, curves_of
from equipoise.lab.reports import print_summary
from equipoise.lab.reports.page import render_values
from equipoise.lab.reports.palette import looks


def curve(*values):
    return dict(enumerate(values, start=1))


def saturating(epochs, constants, noise=0.0, seed=0):
    """0.6 (1 - exp(-t)) over so many time constants, by epoch; noise in the same unit as the skill."""
    draw = random.Random(seed)
    return curve(*(0.6 * (1 - math.exp(-constants * t / epochs)) + draw.gauss(0, noise) for t in range(1, epochs + 1)))


FALLING = [curve(1.0, 0.8, 0.6, 0.5, 0.45, 0.4)]
RISING = [curve(1.0, 1.1, 1.2, 1.3, 1.4, 1.5)]


@pytest.mark.parametrize(
    ("skills", "losses", "epochs", "decays", "expected"),
    [
        (curve(0.3, 0.5), FALLING, 2, False, "not judged"),
        (curve(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), FALLING, 6, False, "under-fitting"),
        (curve(0.1, 0.2, 0.3, 0.4, 0.5, 0.6), FALLING, 9, False, "neither"),  # patience ended it, not the budget
        (curve(0.0, 0.0, 0.0, 0.0, 0.1, 0.3), FALLING, 6, False, "under-fitting"),  # a late start
        (curve(-0.5, -0.4, -0.3, -0.2, -0.1, 0.0), FALLING, 6, False, "under-fitting"),  # below a constant as yet
        (curve(0.3, 0.5, 0.6, 0.62, 0.625, 0.626), FALLING, 6, False, "neither"),  # flat at the end
        (curve(0.001, 0.002, 0.002, 0.003, 0.003, 0.004), FALLING, 6, False, "neither"),  # it has learned nothing yet
        (curve(0.3, 0.5, 0.6, 0.55, 0.60, 0.63), FALLING, 6, False, "neither"),  # gained less than it fell before
        (curve(0.6, 0.5, 0.52, 0.5, 0.5, 0.49), FALLING, 30, False, "over-fitting"),
        (curve(0.6, 0.5, 0.52, 0.5, 0.5, 0.49), RISING, 30, False, "neither"),  # training got worse too
        (curve(0.6, 0.5, 0.52, 0.5, 0.5, 0.49), [*FALLING, *RISING], 30, False, "neither"),
        (curve(0.6, 0.59, 0.58, 0.58, 0.58, 0.58), FALLING, 30, False, "neither"),  # hardly worse than the first
        (curve(0.5, 0.6, 0.5, 0.4, 0.3, 0.2), FALLING, 30, False, "neither"),  # what patience is for
        (curve(-0.1, -0.3, -0.4, -0.5), FALLING, 30, False, "neither"),  # nothing was learned that could be lost
        # the last third gains because steps become small: no sign of too few epochs
        (curve(0.3, 0.5, 0.5, 0.5, 0.53, 0.56), FALLING, 6, True, "neither"),
        (curve(0.3, 0.5, 0.5, 0.5, 0.53, 0.56), FALLING, 6, False, "under-fitting"),
        (curve(0.1, 0.2, 0.3, 0.4, 0.47, 0.5), FALLING, 6, True, "under-fitting"),  # it gained before that, too
        (curve(0.0, 0.0, 0.0, 0.0, 0.1, 0.3), FALLING, 6, True, "under-fitting"),  # most of its skill is of the end
        # the sum of the demo's study, seeds 0 and 1: cosine to 0, the best epoch at the end; 12 epochs reach as much
        (curve(0.5562, 0.5851, 0.6096, 0.6086, 0.6131, 0.6142), FALLING, 6, True, "neither"),
        (curve(0.5508, 0.5795, 0.6060, 0.6089, 0.6149, 0.6115), FALLING, 6, True, "neither"),
    ],
)
def test_the_rule_for_a_run(skills, losses, epochs, decays, expected):
    assert judge_run(skills, losses, epochs, decays=decays) == expected


@pytest.mark.parametrize("epochs", [6, 12, 30, 200])
def test_a_saturating_run_is_still_improving_while_half_as_many_epochs_again_add_a_hundredth(epochs):
    # k time constants leave exp(-k) - exp(-1.5 k) to be gained by half as many epochs again: 4 % of the skill at
    # k = 3, 1.6 % at k = 4, .2 % at k = 6
    assert judge_run(saturating(epochs, 3), FALLING, epochs, decays=False) == "under-fitting"
    assert judge_run(saturating(epochs, 4), FALLING, epochs, decays=False) == "under-fitting"
    assert judge_run(saturating(epochs, 6), FALLING, epochs, decays=False) == "neither"


def test_noise_of_single_epochs_does_not_hide_a_gain_over_many():
    for seed in range(20):
        assert judge_run(saturating(100, 3, 0.02, seed), FALLING, 100, decays=False) == "under-fitting"


@pytest.mark.parametrize("noise", [0.002, 0.01, 0.03])
@pytest.mark.parametrize("epochs", [6, 10, 30, 100])
def test_noise_about_a_plateau_seldom_looks_like_a_gain_and_hardly_ever_in_most_runs(noise, epochs):
    runs = [judge_run(saturating(epochs, 60, noise, seed), [], epochs, decays=False) for seed in range(300)]
    found = [run == "under-fitting" for run in runs]
    assert sum(found) <= 0.08 * len(found)
    assert sum(sum(found[i : i + 3]) > 1 for i in range(0, 300, 3)) <= 3


def fits(**counts):
    """By method, (under-fitting, over-fitting, neither) runs."""
    runs = [
        RunFit(name.replace("_", "-"), seed, "all", fit)
        for name, of in counts.items()
        for seed, fit in enumerate(
            fit for fit, n in zip(("under-fitting", "over-fitting", "neither"), of, strict=True) for _ in range(n)
        )
    ]
    return RunFits(tuple(runs), 6)


def test_healthy_runs_give_no_caution():
    assert fit_cautions(fits(sum=(0, 0, 5), uw=(2, 0, 3), dwa=(0, 2, 3))) == ()
    assert fit_cautions(RunFits((), 6)) == ()


def test_a_method_is_named_where_most_of_its_runs_were_still_improving():
    assert fit_cautions(fits(sum=(2, 0, 3), uw=(3, 0, 2), mgda=(5, 0, 0))) == (
        "8 of 15 runs were still improving at the last epoch (uw and mgda): a comparison then measures speed of "
        "training.",
    )
    assert fit_cautions(fits(sum=(0, 0, 3), uw=(0, 3, 0))) == (
        "3 of 6 runs were best after the first epoch and over-fitted from there (uw): lower the learning rate or "
        "regularise more.",
    )


@pytest.mark.parametrize("epochs", [1, 2, 3, 4])
def test_so_few_epochs_that_no_curve_can_tell_are_said_whatever_the_runs(epochs):
    fit = "neither" if epochs > 2 else "not judged"
    runs = tuple(RunFit("sum", seed, "all", fit) for seed in range(3))
    said = fit_cautions(RunFits(runs, epochs))
    assert len(said) == (epochs < 4)
    assert all("a comparison then measures speed of training" in one and len(one.split()) <= 25 for one in said)
    assert said == () or said[0].startswith(f"With {epochs} epoch")
    longer = tuple(run._replace(fit="under-fitting") for run in runs)
    assert fit_cautions(RunFits(longer, epochs))[0].startswith("3 of 3 runs were still improving")
    assert len(fit_cautions(RunFits(longer, epochs))) == 1
    assert fit_cautions(RunFits((), epochs)) == ()


def test_a_caution_has_at_most_25_words():
    many = fits(**{f"method_{place}": (3, 0, 0) for place in range(30)})
    (caution,) = fit_cautions(many)
    assert "(30 methods)" in caution
    assert len(caution.split()) <= 25


def test_single_task_networks_of_one_task_are_judged_together():
    runs = [RunFit("single-task", seed, "a", "under-fitting") for seed in range(3)]
    runs += [RunFit("single-task", seed, "b", "neither") for seed in range(5)]
    assert RunFits(tuple(runs), 6).mostly("under-fitting") == {"single-task": 3}
    assert RunFits(tuple(runs[1:]), 6).mostly("under-fitting") == {"single-task": 2}
    assert RunFits(tuple(runs[3:]), 6).mostly("under-fitting") == {}


def made_study(skills, schedule=None, nan=False):
    """Three seeds of the sum and of mgda with these skills by epoch, and single-task networks that are done."""
    rows, scores, costs = [], [], []
    settings = {"epochs": 6, **({"schedule": schedule} if schedule else {})}
    done = (0.3, 0.5, 0.6, 0.62, 0.625, 0.626)
    for method, tasks in (("single-task", "a"), ("single-task", "b"), ("sum", "ab"), ("mgda", "ab")):
        for seed in range(3):
            values = skills.get(method, done)
            single = method == "single-task"
            costs.append(RunCost(method, seed, tasks if single else "all", 6, 6, 60, 0.1, 1.0, 1.0, 0, 0))
            for epoch, skill in enumerate(values, start=1):
                if not single:
                    rows.append((method, seed, epoch, "validation", "all", "skill", skill))
                for task in tasks:
                    rows.append((method, seed, epoch, "validation", task, "rmse", 2.0 - 2.0 * skill))
                    loss = math.nan if nan and method == "mgda" and epoch == 6 else 1.0 / epoch
                    rows.append((method, seed, epoch, "train", task, "loss", loss))
            scores += [RunScore(method, seed, "test", task, "rmse", 1.0 + 0.01 * seed) for task in tasks]
    names = ("method", "seed", "epoch", "split", "task", "quantity", "value")
    curves, not_finite = curves_of(dict(zip(names, map(str, row), strict=True)) for row in rows)
    metric = {"name": "rmse", "higher_is_better": False, "perfect": 0.0, "trivial": 2.0}
    about = {"case": "made", "title": "Made", "seeds": [0, 1, 2], "methods": ["sum", "mgda"], "complete": True}
    about |= {"metrics": {task: [metric] for task in "ab"}, "settings": settings, "tuned_trials": 0}
    return StudyResults(Path(), about, tuple(scores), tuple(costs), curves, not_finite, ())


SLOW = (0.1, 0.2, 0.3, 0.4, 0.5, 0.55)


def test_a_study_says_first_which_methods_were_still_improving_and_what_to_do():
    summary = Summary.of_study(made_study({"mgda": SLOW}))
    assert summary.cautions == (
        "3 of 12 runs were still improving at the last epoch (mgda): a comparison then measures speed of training.",
    )
    assert (summary.advice.action, summary.advice.epochs) == ("train longer", 12)
    until = "before choosing; until then use the plain sum."
    assert summary.advice.text("command line") == f"Train twice as long (--epochs 12, another --out) {until}"
    assert summary.advice.text("python") == f"Train twice as long (epochs=12, another folder) {until}"
    assert summary.advice.text("page") == f"Train twice as long {until}"


def test_the_caution_stands_before_the_headline_wherever_results_are_shown():
    results = Results(Summary.of_study(made_study({"mgda": SLOW})))
    (caution,), headline = results.summary.cautions, results.summary.headline
    assert results.verdict.to_dict()["cautions"] == [caution]
    page = render_values(results.summary, [], looks(("single-task", "sum", "mgda")))
    for text in (str(results.verdict), repr(results), results._repr_html_(), str(results.table()), page):
        assert -1 < text.find(caution[:60]) < text.find(headline[:40])


def test_skills_of_single_task_networks_follow_from_their_metric():
    found = run_fits(made_study({"single-task": SLOW}))
    assert found.mostly("under-fitting") == {"single-task": 6}


def test_a_study_of_healthy_runs_says_nothing():
    summary = Summary.of_study(made_study({}))
    assert summary.cautions == ()
    assert summary.advice.action != "train longer"


def test_the_schedule_of_the_study_decides():
    annealed = (0.3, 0.5, 0.5, 0.5, 0.53, 0.56)
    assert Summary.of_study(made_study({"sum": annealed})).cautions
    assert not Summary.of_study(made_study({"sum": annealed}, schedule="cosine")).cautions


def test_a_run_that_has_diverged_is_not_judged():
    found = {(run.method, run.fit) for run in run_fits(made_study({"mgda": SLOW}, nan=True)).runs}
    assert found == {("single-task", "neither"), ("sum", "neither"), ("mgda", "not judged")}


def test_results_without_curves_are_not_judged():
    study = made_study({"mgda": SLOW})
    summary = Summary.from_values(study.test_values, study.metrics, ("sum", "mgda"), (0, 1, 2), title="Given")
    assert summary.cautions == ()


def test_scores_of_scikit_learn_stand_below_the_methods_and_change_no_verdict():
    study, names = made_study({}), ("linear (scikit-learn)", "boosting (scikit-learn)")
    scores = [BaselineScore(names[0], "a", "rmse", 0.9, 50, 80), BaselineScore(names[0], "b", "rmse", 0.9, 50, 80)]
    scores += [BaselineScore(names[1], "a", "rmse", 0.25, 80, 80), BaselineScore(names[1], "a", "r2", 7.0, 80, 80)]
    bare, seen = Summary.of_study(study), Summary.of_study(replace(study, baselines=tuple(scores)))
    assert (seen.rows, seen.ranks, seen.tested, seen.headline) == (bare.rows, bare.ranks, bare.tested, bare.headline)
    assert seen.baseline_scores == {names[0]: {"a": 0.9, "b": 0.9}, names[1]: {"a": 0.25}}
    (caution,) = seen.cautions
    assert caution.startswith("boosting (scikit-learn) reaches rmse 0.2500 on a, the best network 1.0100")
    (note,) = set(seen.notes) - set(bare.notes)
    assert "trained on 50 of 80 rows" in note
    for text in (str(Results(seen).table()), seen_page(seen), Results(seen).table().to_markdown()):
        words = " ".join(text.split())
        assert words.index("mgda") < words.rindex("linear") < words.rindex("boosting")
        assert "0.9000" in words
    console = Console(file=io.StringIO(), width=100)
    print_summary(console, seen, verbose=True)
    assert console.file.getvalue().count("(scikit-learn)") >= 4  # in the tables of both tasks


def seen_page(summary):
    return render_values(summary, [], looks(tuple(row.method for row in summary.rows)))
