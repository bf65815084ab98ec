"""What a user types, and means: nothing is done that was not meant, and what is wrong is said."""

from dataclasses import replace

import pytest

from equipoise.cli import COMMANDS, main
from equipoise.lab.cases import Target
from refused_words import refused


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "\n".join(f"{n},{n % 3}" for n in range(150))
    (tmp_path / "data.csv").write_text(f"age,rating\n{rows}")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["cases"], "unknown command 'cases'; there are 'demo', 'doctor', 'compare', "),
        (["losses", "--focal"], "unknown option '--focal'; there are '-h', '--help', "),
        (["compare", "zzz"], "unknown case 'zzz'; there are 'reviews', 'tox21', "),
        (["compare", "reviews", "--methods", "sum uw"], "names with commas between them, like sum,uw; got 'sum uw'"),
        (["compare", "reviews", "--methods", "sum;uw"], "names with commas between them, like sum,uw; got 'sum;uw'"),
        (["compare", "reviews", "--seeds", "2", "--seeds=3"], "--seeds is given twice: leave one out"),
        (["compare", "reviews", "--methods=sum", "--methods", "uw"], "--methods is given twice: leave one out"),
        (["compare", "reviews", "--out="], "argument --out: a folder, got ''"),
        (
            ["compare", "data.ods", "--target", "a:binary"],
            "only a table (.csv, .csv.gz, .tsv, .tsv.gz, .parquet, .xlsx) has",
        ),
        (["init", "data.csv", "--target", "Rating"], "data.csv has no column 'Rating'; did you mean 'rating'?"),
        (["probe", "reviews", "--html", "."], ". is a folder: choose a file by --html"),
        (
            ["compare", "data.csv", "--target", "rating:regression", "--number", "age", "--tuned-trials", "3"],
            "case data has one task, so no weights to tune: set tuned_trials to 0",
        ),
    ],
)
def test_what_is_wrong_is_said(capsys, words, line):
    assert line in refused(capsys, *words)


def test_help_and_version_are_commands_too(capsys):
    for name in COMMANDS:
        with pytest.raises(SystemExit) as end:
            main(["help", name])
        assert end.value.code == 0
        assert capsys.readouterr().out.startswith(f"usage: equipoise {name}")
    assert main(["help"]) == 0
    assert "equipoise compare" in capsys.readouterr().out
    assert main(["version"]) == main(["-V"]) == 0
    capsys.readouterr()
    assert "unknown command 'lossess'; did you mean 'losses'" in refused(capsys, "help", "lossess")


def test_one_task_has_no_weights_to_tune_and_needs_no_option(capsys, monkeypatch):
    def enough(plan, *_):
        raise ValueError(f"{[*map(str, plan.arms)]} {plan.tuned_trials}")

    monkeypatch.setattr("equipoise.lab.studies.run_plan", enough)
    words = ["compare", "data.csv", "--target", "rating:regression", "--number", "age", "--methods", "sum,uw"]
    assert "['sum', 'uw'] 0" in refused(capsys, *words)


@pytest.mark.parametrize(
    ("written", "kind"),
    [("multiclass", "multiclass"), ("Multi_Label", "multilabel"), ("REGRESSION", "regression"), ("levels", "ordinal")],
)
def test_a_kind_of_target_is_found_by_its_other_names(written, kind):
    assert Target.parse(f"a:{written}") == Target("a", kind) == replace(Target("a", kind))


def test_classification_is_two_kinds():
    with pytest.raises(ValueError, match="'classification' of target 'a' is 'binary' or 'multiclass': choose one"):
        Target.parse("a:classification")
