"""Results from anywhere are judged as a study's are; what cannot be judged is named."""

import csv
import math
import random
from dataclasses import replace

import pandas
import pytest
from scipy import stats

from equipoise import lab
from equipoise.lab.evaluation import power

FEWER = [("dwa", 4)]


def same(mine, other):
    """NaN equals NaN: an interval that does not exist is the same interval."""
    return repr(mine) == repr(other)


def written(path, rows):
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    return path


def values_of(rows):
    return [tuple(row.values()) for row in rows]


def test_runs_of_a_folder_get_its_verdict_to_the_last_digit(rows, make_folder):
    kept = [row for row in rows if (row["method"], row["seed"]) not in FEWER]
    folder = make_folder(values_of(kept))
    verdict = lab.load(folder).verdict
    judged = lab.judge(folder / "runs.csv", metrics={"size": "rmse", "kind": "accuracy"}).verdict
    assert {one.decision for one in verdict.decisions} == {
        *("better", "worse", "no significant difference", "no verdict")
    }
    by_key = [{(d.method, d.task, d.other): d for d in one.decisions} for one in (verdict, judged)]
    assert by_key[0].keys() == by_key[1].keys()
    for key, one in by_key[0].items():  # what a constant predicts, and so a collapsed run, only the folder knows
        assert same(replace(one, inspect=""), replace(by_key[1][key], inspect=""))


def test_decisions_are_paired_t_with_holm_over_all_comparisons_and_friedman(rows):
    results = lab.judge(rows)
    at = {(row["method"], row["task"], row["seed"]): row["value"] for row in rows}
    p_values = {}
    for one in results.verdict.decisions:
        a, b = ([at[name, one.task, seed] for seed in range(5)] for name in (one.method, one.other))
        test = stats.ttest_rel(a, b)
        assert one.p_value == pytest.approx(test.pvalue, rel=1e-9)
        assert (one.low, one.high) == pytest.approx(tuple(test.confidence_interval(0.95)), rel=1e-9)
        p_values[one] = one.p_value
    family = sorted([*p_values.values(), results.summary.ranks.p_value])
    assert len(family) == 2 * (3 + 4) + 1  # three methods with sum, four with single-task, on two tasks
    for one, p in p_values.items():
        steps = [(len(family) - rank) * other for rank, other in enumerate(family) if other <= p]
        assert one.p_adjusted == pytest.approx(min(1.0, max(steps)))
        assert (one.decision != "no significant difference") == (one.p_adjusted < 0.05)


@pytest.mark.parametrize("kind", ["csv", "tsv", "frame", "rows", "generator"])
def test_the_source_makes_no_difference(rows, tmp_path, kind):
    if kind == "tsv":
        frame = pandas.DataFrame(rows)
        frame.to_csv(tmp_path / "results.tsv", sep="\t", index=False)
    source = {
        "csv": lambda: written(tmp_path / "results.csv", rows),
        "tsv": lambda: str(tmp_path / "results.tsv"),
        "frame": lambda: pandas.DataFrame(rows),
        "rows": lambda: rows,
        "generator": lambda: iter(rows),
    }[kind]()
    assert same(lab.judge(source).verdict, lab.judge(rows).verdict)


def test_the_order_of_rows_changes_nothing_that_is_judged(rows):
    mixed = random.Random(0).sample(rows, len(rows))
    mine, other = (lab.judge(some).verdict.decisions for some in (rows, mixed))
    assert {repr(one) for one in mine} == {repr(one) for one in other}


def test_a_frame_of_results_is_judged_as_they_are(rows):
    rows = [row for row in rows if (row["method"], row["seed"]) not in FEWER]
    results = lab.judge(rows)
    frame = results.to_frame()
    assert len(frame) == 5 * 5 * 2
    assert frame["value"].isna().sum() == 2
    assert same(lab.judge(frame).verdict, results.verdict)


def test_what_is_better_turns_the_decisions_and_no_number(rows):
    up, down = (lab.judge(rows, better=dict.fromkeys(("size", "kind"), word)).verdict for word in ("higher", "lower"))
    turned = {"better": "worse", "worse": "better"}
    assert {one.decision for one in up.decisions} >= {*turned}
    for a, b in zip(up.decisions, down.decisions, strict=True):
        assert (a.estimate, a.p_adjusted) == (b.estimate, b.p_adjusted)
        assert turned.get(a.decision, a.decision) == b.decision
    assert down.of("mgda", "size").decision == "worse"


@pytest.mark.parametrize("column", ["better", "higher_is_better"])
def test_a_column_may_say_what_is_better(rows, column):
    told = {"better": {True: "higher", False: "lower"}, "higher_is_better": {True: "True", False: "false"}}[column]
    for row in rows:
        row["metric"] = "ours"
        row[column] = told[row["task"] == "kind"]
    assert [metric.higher_is_better for metric in lab.judge(rows).summary.metrics] == [False, True]


def test_other_names_of_the_references_change_no_number_and_stay_as_they_are(rows):
    plain = lab.judge(rows).verdict
    renamed = {"sum": "LS", "single-task": "STL"}
    for row in rows:
        row["method"] = renamed.get(row["method"], row["method"])
    results = lab.judge(rows, reference="LS", single_task="STL")
    assert [row.method for row in results.summary.rows] == ["STL", "LS", "uw", "mgda", "dwa"]
    for one, other in zip(results.verdict.decisions, plain.decisions, strict=True):
        method, compared = (renamed.get(name, name) for name in (other.method, other.other))
        assert same(one, replace(other, method=method, other=compared))
    assert "uw is significantly better than LS on size" in results.verdict.headline
    table = results.table()
    for text in (str(results.verdict), str(table), table.to_markdown(), table.to_latex(), table._repr_html_()):
        assert "plain sum" not in text
        assert "LS" in text
    assert "difference to LS" in str(table)


def test_the_report_names_the_references_as_the_results_do(rows, tmp_path):
    for row in rows:
        row["method"] = {"sum": "LS", "single-task": "STL"}.get(row["method"], row["method"])
    page = lab.judge(rows, reference="LS", single_task="STL").save_report(tmp_path / "report.html").read_text()
    assert "Difference to LS" in page
    assert "difference to sum" not in page.lower()


@pytest.mark.parametrize("absent", [math.nan, "nan", "", None, math.inf])
def test_a_value_that_is_not_finite_and_a_seed_that_is_missing_are_named(rows, absent):
    rows = [row for row in rows if (row["method"], row["seed"]) != ("dwa", 3)]
    for row in rows:
        if (row["method"], row["seed"], row["task"]) == ("uw", 2, "size"):
            row["value"] = absent
    results = lab.judge(rows)
    assert "uw on size: rmse is not finite for seed 2; left out." in results.summary.notes
    assert "dwa: no finished run for seed 3." in results.summary.notes
    assert results.verdict.of("uw", "size").seeds == 4
    assert results.verdict.of("uw", "size").decision == "no verdict"


def test_seeds_needed_show_the_difference_in_8_of_10_studies_and_one_fewer_does_not(rows):
    results = lab.judge(rows)
    decisions = results.verdict.decisions
    decided = sum(one.decision != "no significant difference" for one in decisions) + results.summary.ranks.differs
    assert decided > 1
    level = 0.05 / (results.summary.tested - decided)  # of Holm's next step
    told = [one for one in decisions if one.seeds_needed is not None]
    assert told
    for one in told:
        spread = (one.high - one.low) / 2 / stats.t.ppf(0.975, one.seeds - 1) * math.sqrt(one.seeds)
        effect = one.estimate / spread
        assert one.decision == "no significant difference"
        assert power(effect, one.seeds_needed - 1, level) < 0.8 <= power(effect, one.seeds_needed, level)


def test_seeds_needed_are_those_of_the_advice(rows):
    verdict = lab.judge([row for row in rows if row["method"] in ("sum", "dwa")]).verdict
    nearest = min(verdict.decisions, key=lambda one: one.p_value)
    assert nearest.decision == "no significant difference"
    assert f"about {nearest.seeds_needed - 5} more seed" in " ".join(verdict.details)
    decided = lab.judge(rows).verdict.of("mgda", "size")
    assert decided.seeds_needed is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drop": "seed"}, "row 1 has no column 'seed'; results have method, seed, task, metric, value, here are"),
        ({"seed": "first"}, "row 1, column 'seed': must be a whole number of at least 0, got 'first'"),
        ({"seed": 0.5}, "row 1, column 'seed': must be a whole number of at least 0, got 0.5"),
        ({"value": 10**400}, "row 1, column 'value': '1000"),
        ({"value": "high"}, "row 1, column 'value': 'high' is no number"),
        ({"method": " "}, "row 1, column 'method': is empty"),
        ({"seed": 1}, "row 3: single-task, seed 1, size, rmse is there twice"),
        ({"better": "up"}, "row 1, column 'better': must be higher or lower, got 'up'"),
        ({"metric": "mae"}, "task 'size' has several metrics, mae, rmse: say which one is judged"),
    ],
)
def test_what_is_wrong_with_a_row_is_named(rows, change, message):
    if column := change.pop("drop", None):
        del rows[0][column]
    rows[0] |= change
    with pytest.raises(ValueError, match="^" + message.replace("(", r"\(")):
        lab.judge(rows)


def test_a_direction_that_nothing_says_is_asked_for(rows):
    for row in rows:
        row["metric"] = "ours"
    with pytest.raises(
        ValueError, match="not known whether ours of task 'size' is better higher or lower: say better="
    ):
        lab.judge(rows)
    rows[0]["better"], rows[2]["better"] = "lower", "higher"
    with pytest.raises(ValueError, match=r"ours of task 'size' has two directions: row 1 and row 2 .*do not agree"):
        lab.judge([row for row in rows if "better" in row and row["task"] == "size"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"better": {"sise": "lower"}}, "better names task 'sise', which has no results; did you mean 'size'"),
        ({"better": {"size": "down"}}, "better of task 'size' must be higher or lower, got 'down'"),
        ({"metrics": {"size": "rmsle"}}, "task 'size' has no metric 'rmsle'; did you mean 'rmse'"),
        ({"better": "lower"}, "better must be a mapping by task, such as {.*: 'lower'}, got 'lower'"),
        ({"single_task": "STL"}, "single_task: no method is named 'STL'"),
        (
            {"reference": "LS"},
            "reference: no method is named 'LS'; there are 'single-task', 'sum', 'uw', 'mgda', 'dwa'",
        ),
        ({"reference": "Sum"}, "reference: no method is named 'Sum'; did you mean 'sum'"),
    ],
)
def test_an_argument_that_fits_nothing_is_named(rows, arguments, message):
    with pytest.raises(ValueError, match="^" + message):
        lab.judge(rows, **arguments)


def test_an_unknown_option_is_answered_by_the_likely_one(rows):
    with pytest.raises(TypeError, match=r"judge\(\) has no option 'refrence'; did you mean 'reference'"):
        lab.judge(rows, refrence="sum")
    with pytest.raises(TypeError, match=r"probe\(\) has no option 'batch'; did you mean 'batches'"):
        lab.probe("reviews", batch=3)
    with pytest.raises(TypeError, match=r"Recorder\(\) has no option 'epoch'; did you mean 'epochs'"):
        lab.Recorder(["a"], epoch=3)


def test_a_folder_is_no_page_and_a_file_no_folder(rows, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"is a folder: choose a file$"):
        lab.judge(rows).save_report(tmp_path)
    with pytest.raises(ValueError, match=r"file cannot be made \(.*\): choose another folder$"):
        lab.judge(rows).save_report(tmp_path / "file" / "report.html")


def test_one_seed_cannot_be_judged(rows):
    with pytest.raises(ValueError, match=r"^all results are of seed 4: with one seed"):
        lab.judge([row for row in rows if row["seed"] == 4])


def test_no_results_are_named_and_no_table_is_none():
    with pytest.raises(ValueError, match="there are no results"):
        lab.judge([])
    with pytest.raises(ValueError, match=r"results must be a file, a data frame or rows as mappings, got int"):
        lab.judge(3)
    with pytest.raises(ValueError, match=r"there is no file 'absent.csv'"):
        lab.judge("absent.csv")


def test_a_name_cannot_command_a_terminal(rows):
    for row in rows:
        row["method"] = row["method"].replace("uw", "u\x1b[2Jw")
    assert "\x1b" not in str(lab.judge(rows).table())


def test_a_name_of_two_lines_makes_a_sentence_of_one(rows):
    for row in rows:
        row["method"] = row["method"].replace("uw", "uncertainty\r\n weights")
    results = lab.judge(rows)
    assert "uncertainty weights" in results.summary.methods
    assert "\n" not in str(results.verdict)


def test_other_delimiters_are_read_where_they_are_said(rows, tmp_path):
    (tmp_path / "results.csv").write_text(
        "\n".join([";".join(rows[0]), *(";".join(map(str, row.values())) for row in rows)]) + "\n"
    )
    with pytest.raises(ValueError, match=r"give --delimiter \(delimiter=';'\)"):
        lab.judge(tmp_path / "results.csv")
    assert repr(lab.judge(tmp_path / "results.csv", delimiter=";").verdict) == repr(lab.judge(rows).verdict)


@pytest.mark.parametrize("value", [float("nan"), 0.8])
def test_a_task_without_a_verdict_is_not_spoken_of(rows, value):
    """Of a task with no finite value nothing was tested, so the sentence does not say any task."""
    two = [row | {"value": 0.5} for row in rows if row["method"] in ("sum", "uw")]
    values = [row | {"task": "other", "value": value} for row in two if row["task"] == "size"]
    told = "on any task with a verdict." if value != value else "on any task."
    assert lab.judge([*two, *values]).verdict.headline.endswith(told)


def test_advice_does_not_hide_that_single_task_networks_are_better():
    draw = random.Random(0)
    rows = [
        {
            "method": m,
            "seed": s,
            "task": t,
            "metric": "accuracy",
            "value": 0.8 + 0.1 * (m == "single-task") + draw.random() / 500,
        }
        for m in ("single-task", "sum", "uw")
        for s in range(5)
        for t in ("a", "b")
    ]
    verdict = lab.judge(rows).verdict
    assert verdict.of("sum", "a", "single-task").decision == "worse"
    assert str(verdict.advice) == (
        "Use the plain sum where one network must do: single-task networks are significantly better on a and b."
    )
    assert "significantly worse on a and b; where a and b matter most, train each alone" in " ".join(verdict.details)


def test_differences_without_spread_are_not_judged_and_the_advice_says_so():
    values = [("sum", 0.8), ("uw", 0.9)]
    rows = [
        {"method": method, "seed": seed, "task": "kind", "metric": "accuracy", "value": value}
        for method, value in values
        for seed in range(3)
    ]
    verdict = lab.judge(rows).verdict
    assert verdict.of("uw", "kind").decision == "no significant difference"
    assert str(verdict.advice) == "No difference varies over the seeds: check that each seed is a run of its own."


def test_methods_without_a_seed_in_common_are_told_to_share_seeds(rows):
    two = [row for row in rows if row["method"] in ("sum", "uw")]
    verdict = lab.judge([row | {"seed": row["seed"] + 50 * (row["method"] == "uw")} for row in two]).verdict
    assert verdict.decisions == ()
    assert str(verdict.advice) == (
        "Add results with the same seeds for the plain sum and the methods: differences are paired by seed."
    )
    alone = lab.judge([row for row in rows if row["method"] in ("sum", "single-task")]).verdict
    assert str(alone.advice).startswith("Add results of at least one other method")
    assert alone.headline == "No method is compared with the plain sum: no other method was trained."


def test_what_stands_in_the_index_of_a_frame_is_pointed_at(rows):
    frame = pandas.DataFrame(rows).set_index(["method", "seed"])
    with pytest.raises(ValueError, match=r"'method' and 'seed' in its index .* frame.reset_index\(\)"):
        lab.judge(frame)
    assert repr(lab.judge(frame.reset_index()).verdict) == repr(lab.judge(rows).verdict)
    with pytest.raises(ValueError, match=r"no column 'value'; results have .*, seed \(in the index\)"):
        lab.judge(frame.rename(columns={"value": "score"}))


def test_two_seeds_ask_for_more_before_a_method_is_used():
    values = {"sum": (0.8, 0.9), "uw": (0.7, 0.800005)}
    rows = [
        {"method": method, "seed": seed, "task": "kind", "metric": "rmse", "value": value}
        for method, of in values.items()
        for seed, value in enumerate(of)
    ]
    results = lab.judge(rows)
    assert results.verdict.of("uw", "kind").decision == "better"
    assert str(results.verdict.advice) == (
        "Add results of at least 1 more seed, better 3, before relying on uw; until then use the plain sum."
    )
    assert results.verdict.to_dict()["next"]["action"] == "train seeds"
    assert "for the one comparison of the study" in " ".join(str(results.table()).split())
