import json
import math

import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from equipoise.lab.evaluation import Summary, TaskMetric, counted, judgement_of, make_table, with_interval
from equipoise.lab.evaluation.notes import loss_notes

METRICS = {
    "size": [
        {"name": "rmse", "higher_is_better": False, "perfect": 0.0, "trivial": 1.0},
        {"name": "mae", "higher_is_better": False, "perfect": 0.0, "trivial": 1.0},
    ],
    "kind": [{"name": "accuracy", "higher_is_better": True, "perfect": 1.0, "trivial": 0.0}],
}
SINGLE = {"size": [0.50, 0.52, 0.51], "kind": [0.80, 0.81, 0.79]}
SUM = {"size": [0.40, 0.42, 0.41], "kind": [0.80, 0.80, 0.80]}
FINER = {"size": [0.30, 0.321, 0.312], "kind": [0.801, 0.799, 0.80]}  # size better by 0.099, spread 0.001
COARSER = {"size": [0.50, 0.521, 0.512], "kind": [0.801, 0.799, 0.80]}
TRADE = {"size": [0.30, 0.321, 0.312], "kind": [0.70, 0.701, 0.699]}
SAME = {"size": [0.401, 0.419, 0.41], "kind": [0.801, 0.799, 0.80]}
VAGUE = {"size": [0.30, 0.50, 0.45], "kind": [0.801, 0.799, 0.80]}
COST_HEADER = (
    "method,seed,task,epochs,best_epoch,steps,seconds_per_step,"
    "backwards_per_step,peak_memory_mb,skipped_steps,unsolved_steps"
)
SPEED = {"single-task": 0.004, "sum": 0.01}


@pytest.fixture
def write(tmp_path):
    """A study's folder with these test metrics by method, task and seed."""

    def write(values, methods=None):
        seeds = range(max(len(by_task["size"]) for by_task in values.values()))
        study = {
            "case": "boxes",
            "title": "Boxes",
            "methods": methods or [name for name in values if name != "single-task"],
            "seeds": list(seeds),
            "tasks": {"size": {}, "kind": {}},
            "metrics": METRICS,
            "complete": True,
        }
        (tmp_path / "study.json").write_text(json.dumps(study))
        runs, costs = ["method,seed,split,task,metric,value"], [COST_HEADER]
        for method, by_task in values.items():
            for seed in range(len(by_task["size"])):
                size, kind = by_task["size"][seed], by_task["kind"][seed]
                runs += [
                    f"{method},{seed},test,size,rmse,{size!r}",
                    f"{method},{seed},test,kind,accuracy,{kind!r}",
                    f"{method},{seed},test,size,mae,123.0",
                    f"{method},{seed},validation,size,rmse,123.0",
                ]
                tasks = ("size", "kind") if method == "single-task" else ("all",)
                costs += [f"{method},{seed},{task},2,1,20,{SPEED.get(method, 0.03)},1.0,100.0,0,0" for task in tasks]
        (tmp_path / "runs.csv").write_text("\n".join(runs) + "\n")
        (tmp_path / "costs.csv").write_text("\n".join(costs) + "\n")
        (tmp_path / "history.csv").write_text("method,seed,epoch,split,task,quantity,value\n")
        return tmp_path

    return write


def seed_ranks(methods):
    """[method][seed]: by the mean rank over the tasks within a seed."""
    error = stats.rankdata([one["size"] for one in methods], axis=0)
    accuracy = stats.rankdata([[-value for value in one["kind"]] for one in methods], axis=0)
    return (error + accuracy) / 2


def test_the_figures_of_the_table(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM, "finer": FINER, "same": SAME}))
    assert summary.methods == ("sum", "finer", "same")
    score = summary.row("finer").scores["size"]
    assert score.mean == pytest.approx(0.311)
    assert score.spread == pytest.approx(0.010536, rel=1e-3)
    paired = stats.ttest_rel(FINER["size"], SUM["size"])
    assert score.to_sum.interval.mean == pytest.approx(-0.099)
    assert score.to_sum.interval.p_value == pytest.approx(paired.pvalue)
    methods, alone = (SUM, FINER, SAME), SINGLE
    family = [stats.ttest_rel(one[task], SUM[task]).pvalue for one in (FINER, SAME) for task in SUM]
    family += [stats.ttest_rel(one[task], alone[task]).pvalue for one in (FINER, SAME) for task in SUM]
    family.append(stats.ttest_rel(SUM["kind"], alone["kind"]).pvalue)  # on size they differ by 0.1, whatever the seed
    family.append(stats.friedmanchisquare(*seed_ranks(methods)).pvalue)
    assert summary.tested == len(family) == 10  # all comparisons of the study, and Friedman's test
    assert score.to_sum.p_adjusted == pytest.approx(multipletests(family, method="holm")[1][0])
    assert score.to_sum.verdict == "better"
    assert summary.row("finer").scores["kind"].to_sum.verdict == "no significant difference"
    assert summary.row("sum").scores["size"].to_sum is None


def test_single_task_is_compared_with_by_seed_and_apart(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM, "finer": FINER}))
    found = summary.row("finer").scores["size"].to_single_task
    pairs = [(FINER, SINGLE), (FINER, SUM)]
    family = [stats.ttest_rel(one[task], other[task]).pvalue for one, other in pairs for task in SUM]
    family.append(stats.ttest_rel(SUM["kind"], SINGLE["kind"]).pvalue)  # on size they differ by 0.1, whatever the seed
    assert summary.tested == len(family) == 5
    assert found.p_adjusted == pytest.approx(multipletests(family, method="holm")[1][0])
    assert found.verdict == "better"
    assert summary.row("single-task").scores["size"].to_sum is None


def test_delta_m_is_an_interval_over_seeds(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM}))
    by_seed = [
        100 * ((0.40 - 0.50) / 0.50 - (0.80 - 0.80) / 0.80) / 2,
        100 * ((0.42 - 0.52) / 0.52 - (0.80 - 0.81) / 0.81) / 2,
        100 * ((0.41 - 0.51) / 0.51 - (0.80 - 0.79) / 0.79) / 2,
    ]
    assert summary.row("sum").delta_m.mean == pytest.approx(sum(by_seed) / 3)
    assert summary.row("sum").delta_m.n == 3
    assert summary.row("single-task").delta_m is None


def test_mean_rank_is_among_the_balancings(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM, "trade": TRADE}))
    assert summary.row("sum").mean_rank == 1.5
    assert summary.row("trade").mean_rank == 1.5
    assert summary.row("single-task").mean_rank is None


def test_a_step_of_single_task_is_a_step_of_all_its_networks(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM, "same": SAME}))
    assert summary.row("single-task").seconds_per_step == pytest.approx(0.008)
    assert summary.row("same").cost_ratio == pytest.approx(3.0)


def test_a_seed_that_lacks_a_network_says_nothing_of_the_cost_of_all(write):
    folder = write({"single-task": SINGLE, "sum": SUM})
    lines = (folder / "costs.csv").read_text().splitlines()
    lacking = ("single-task,0,kind", "single-task,1,kind")
    (folder / "costs.csv").write_text("\n".join(line for line in lines if not line.startswith(lacking)))
    assert Summary.from_folder(folder).row("single-task").seconds_per_step == pytest.approx(0.008)


def test_words_when_nothing_is_distinguishable(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM, "a": SAME, "b": SAME}))
    assert "none of the 2 methods differs significantly from the plain sum on any task" in summary.headline
    assert summary.headline.startswith("Over 3 seeds")
    assert str(summary.advice).startswith("Use the plain sum")
    assert "wide" not in " ".join(summary.details)


def test_words_when_the_intervals_are_wide(write):
    summary = Summary.from_folder(write({"sum": SUM, "vague": VAGUE}))
    assert "vague does not differ significantly" in summary.headline
    details = " ".join(summary.details)
    assert "in rmse on size" in details
    assert "5 seeds would at least halve them" in details


def test_words_when_a_balancing_is_better(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM, "finer": FINER}))
    assert "finer is significantly better than the plain sum on size; no other difference" in summary.headline
    details = " ".join(summary.details)
    assert "finer is significantly better than the plain sum on size (rmse 0.3110 against 0.4100)" in details
    assert "1 of 2 comparisons shows no significant difference" in details
    assert str(summary.advice).startswith("Use finer")
    assert "3.00 times" in str(summary.advice)


def test_words_when_a_balancing_is_worse(write):
    summary = Summary.from_folder(write({"sum": SUM, "coarser": COARSER}))
    assert "coarser is significantly worse than the plain sum on size;" in summary.headline
    assert "(rmse 0.5110 against 0.4100)" in " ".join(summary.details)
    assert str(summary.advice).startswith("Use the plain sum")


def test_words_when_a_balancing_trades_one_task_for_another(write):
    summary = Summary.from_folder(write({"sum": SUM, "trade": TRADE}))
    assert "trade gains on size and loses on kind" in str(summary.advice)


def test_words_when_an_interval_leaves_out_zero_but_not_among_all(write):
    near = {"size": [0.391, 0.413, 0.404], "kind": SUM["kind"]}  # p = 0.014 alone
    one = Summary.from_folder(write({"sum": SUM, "near": near}))
    many = Summary.from_folder(write({"sum": SUM, "near": near, "a": SAME, "b": SAME}))
    assert one.row("near").scores["size"].to_sum.interval.high < 0
    assert many.row("near").scores["size"].to_sum.verdict == "no significant difference"
    interval = many.row("near").scores["size"].to_sum.interval
    assert interval.p_value == pytest.approx(0.01416, abs=1e-5)
    more = judgement_of(many).seeds_still_needed["near", "size"]
    told = (
        f"Taken alone near on size would be significant (rmse {with_interval(interval)}); among 7 comparisons chance "
        "alone does this in up to 10 % of studies, so it is no finding yet; "  # 7 x .01416
        f"about {counted(more, 'more seed')} would settle it, in 8 of 10 studies, if the difference is the true one."
    )
    assert told in many.details
    assert "Nearest to a finding" not in " ".join(many.details)


def test_words_on_sharing(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": COARSER | {"size": [0.60, 0.621, 0.612]}}))
    assert (
        "the plain sum is significantly worse on size, no significant difference on kind; where size matters most, "
        "train it alone; Δm +" in " ".join(summary.details)
    )


def test_words_on_one_seed(write):
    values = {"single-task": SINGLE, "sum": SUM, "finer": FINER}
    one = {name: {task: found[:1] for task, found in by_task.items()} for name, by_task in values.items()}
    summary = Summary.from_folder(write(one))
    assert summary.row("finer").scores["size"].to_sum.interval.mean == pytest.approx(-0.1)
    assert math.isnan(summary.row("finer").scores["size"].spread)
    assert summary.headline.startswith("With one seed no difference to the plain sum can be tested")
    assert "at least 3 seeds" in str(summary.advice)


def test_without_the_plain_sum(write):
    summary = Summary.from_folder(write({"single-task": SINGLE, "finer": FINER, "same": SAME}))
    assert summary.headline == "No method is compared with the plain sum: no seed has a finished run of both."
    assert "finer is significantly better on size" in " ".join(summary.details)
    assert summary.row("finer").cost_ratio is None


def test_without_single_task(write):
    summary = Summary.from_folder(write({"sum": SUM, "same": SAME}))
    assert "Does sharing one network help? Not known: no single-task networks were trained." in " ".join(
        summary.details
    )
    assert summary.row("sum").delta_m is None
    assert summary.notes == ("single-task: no finished run.",)


def test_a_run_that_is_not_finite_is_left_out_by_pairs_and_named(write):
    broken = {"size": [0.30, math.nan, 0.312], "kind": FINER["kind"]}
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM, "broken": broken}))
    score = summary.row("broken").scores["size"]
    assert score.seeds == (0, 2)
    assert score.to_sum.interval.n == 2
    assert score.to_sum.interval.mean == pytest.approx((-0.10 - 0.098) / 2)
    assert summary.row("broken").delta_m.n == 2
    assert summary.notes == ("broken on size: rmse is not finite for seed 1; left out.",)
    assert "Over 2 to 3 of 3 seeds" in summary.headline
    assert "Use broken" not in str(summary.advice)


def test_a_method_that_is_finite_nowhere_still_has_its_row(write):
    lost = {"size": [math.nan] * 3, "kind": [math.inf] * 3}
    summary = Summary.from_folder(write({"single-task": SINGLE, "sum": SUM, "lost": lost}))
    assert math.isnan(summary.row("lost").scores["size"].mean)
    assert summary.row("lost").scores["size"].to_sum is None
    assert summary.row("lost").delta_m is None
    assert summary.row("lost").mean_rank == 2.0


def test_missing_runs_are_named_and_pairs_are_by_seed(write):
    short = {"size": FINER["size"][:2], "kind": FINER["kind"][:2]}
    summary = Summary.from_folder(write({"sum": SUM, "short": short}, methods=["sum", "short", "never"]))
    assert summary.row("short").scores["size"].to_sum.interval.n == 2
    assert summary.notes == ("single-task and never: no finished run.", "short: no finished run for seed 2.")
    assert summary.row("never") is None


def test_an_interrupted_study_says_once_what_is_missing(write, tmp_path):
    one = {"size": FINER["size"][:2], "kind": FINER["kind"][:2]}
    write({"single-task": SINGLE, "sum": SUM, "uw": one, "dwa": one})
    lines = (tmp_path / "runs.csv").read_text().splitlines()
    kept = [line for line in lines if not line.startswith("single-task,2,test,kind")]
    (tmp_path / "runs.csv").write_text("\n".join(kept) + "\n")
    assert Summary.from_folder(tmp_path).notes == (
        "single-task on kind: no finished run for seed 2.",
        "uw and dwa: no finished run for seed 2.",
    )


def test_a_case_of_one_task_has_no_weights_that_were_left_out(write):
    folder = write({"single-task": SINGLE, "sum": SUM})
    study = json.loads((folder / "study.json").read_text()) | {"tuned_trials": 0}
    (folder / "study.json").write_text(json.dumps(study))
    assert [note for note in Summary.from_folder(folder).notes if note.startswith("tuned: left out")]
    study["metrics"].pop("kind")
    (folder / "study.json").write_text(json.dumps(study))
    assert Summary.from_folder(folder).notes == ()


def test_a_baseline_of_zero_has_no_delta_m(write):
    zero = {"size": SINGLE["size"], "kind": [0.8, 0.0, 0.8]}
    assert Summary.from_folder(write({"single-task": zero, "sum": SUM})).row("sum").delta_m is None


def test_a_folder_without_a_study_is_refused(tmp_path):
    with pytest.raises(ValueError, match="is not the folder of a study: it has no study"):
        Summary.from_folder(tmp_path)


def test_a_study_without_a_finished_run_is_refused(write):
    folder = write({"sum": SUM})
    (folder / "runs.csv").write_text("method,seed,split,task,metric,value\n")
    with pytest.raises(ValueError, match="no finished run yet"):
        Summary.from_folder(folder)


@pytest.mark.parametrize(("question", "alarmed"), [("", True), ("freeze", False)])
def test_frozen_weights_take_two_trainings_and_the_question_that_is_about_them_sounds_no_alarm(
    write, tmp_path, question, alarmed
):
    write({"sum": SUM, "uw": SAME, "frozen-uw": SAME})
    study = json.loads((tmp_path / "study.json").read_text())
    study["budgets"] = {"sum": {"trainings": 1}, "uw": {"trainings": 1}, "frozen-uw": {"trainings": 2}}
    (tmp_path / "study.json").write_text(json.dumps(study | {"question": question}))
    summary = Summary.from_folder(tmp_path)
    assert any("trainings for one run" in words for words in summary.unequal) is alarmed
    (note,) = (note for note in summary.notes if note.startswith("frozen-uw:"))
    assert "the run of uw with the same seed" in note
    assert "two trainings" in note


@pytest.mark.parametrize(("row", "told"), [("kind=logit-adjusted:tau=0.5", True), ("size=l1+kind=focal", False)])
def test_a_loss_that_moves_the_decision_is_not_to_be_judged_by_it(row, told):
    (note,) = loss_notes(make_table({row: {"size": {}, "kind": {}}}, [TaskMetric("size", "rmse", False)], {}))
    assert ("moves the decision between classes, which accuracy depends on" in note) == told
