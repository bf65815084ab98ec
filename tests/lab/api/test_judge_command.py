"""``equipoise judge``: the API's verdict at the terminal."""

import json

import pytest
from test_judge import written

from equipoise import lab
from equipoise.cli import main


@pytest.fixture
def file(rows, tmp_path):
    return str(written(tmp_path / "results.csv", rows))


def test_json_is_the_verdict_of_the_api_and_nothing_else(file, rows, capsys):
    assert main(["judge", file, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(json.dumps(lab.judge(rows).verdict.to_dict()))


def test_the_terminal_begins_with_verdict_and_advice(file, rows, capsys):
    assert main(["judge", file]) == 0
    text = " ".join(capsys.readouterr().out.split())
    summary = lab.judge(rows).summary
    assert text.startswith(f"results.csv {summary.headline} {summary.advice}")


def test_nothing_significant_is_no_error_and_says_how_many_seeds_are_needed(rows, tmp_path, capsys):
    few = [row for row in rows if row["method"] in ("sum", "dwa")]
    assert main(["judge", str(written(tmp_path / "few.csv", few))]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "more seeds would show a difference of this size" in text
    needed = lab.judge(few).verdict.seeds_still_needed
    assert [*needed.values()] == sorted(needed.values())
    for (method, task), seeds in needed.items():
        one = lab.judge(few).verdict.of(method, task)
        assert one.seeds + seeds == one.seeds_needed
        assert f"{method} on {task} {seeds}" in text.split("Seeds still needed to show a difference of this size: ")[1]


def test_options_say_what_the_table_does_not(rows, tmp_path, capsys):
    for row in rows:
        row["metric"] = {"size": "ours"}.get(row["task"], row["metric"])
        row["method"] = {"sum": "LS", "single-task": "STL"}.get(row["method"], row["method"])
    rows += [{**row, "metric": "f1"} for row in rows if row["task"] == "kind"]
    file = written(tmp_path / "results.csv", rows)
    options = ["--better", "size=lower", "--metric=kind=accuracy", "--reference=LS", "--single-task", "STL"]
    assert main(["judge", str(file), *options, "--report", str(tmp_path / "page.html"), "--json"]) == 0
    decisions = json.loads(capsys.readouterr().out)["decisions"]
    assert {(one["task"], one["metric"], one["higher_is_better"]) for one in decisions} == {
        ("size", "ours", False),
        ("kind", "accuracy", True),
    }
    assert (tmp_path / "page.html").is_file()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--better", "size"], "TASK=WORD, such as rating=lower; got 'size'"),
        (["--better", "size=up"], "better of task 'size' must be higher or lower, got 'up'"),
        (["--report", "results.csv/page.html"], "results.csv cannot be made (File exists): choose another folder"),
    ],
)
def test_wrong_use_is_one_line(file, options, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["judge", file, *options])
    assert left.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
