"""study.json keeps every look and what was left out, for good; planned looks stop at the first finding."""

import errno
import json
import os
from dataclasses import replace

import pytest
from test_study import finish

from equipoise.cli import main
from equipoise.lab.arms import parse_arm
from equipoise.lab.evaluation import StudyResults, Summary
from equipoise.lab.files import file_hash, write_json
from equipoise.lab.studies import Study, make_plan, record_look


@pytest.fixture(scope="module")
def plan():
    return make_plan("reviews", ["sum", "mgda"], [0, 1, 2], epochs=2)


def described(folder):
    return json.loads((folder / "study.json").read_text())


def finished(plan, folder):
    """The study of a plan with all its runs."""
    Study(plan, folder).write()
    for run in plan.runs:
        if not (folder / "runs" / run.folder_name).exists():
            finish(folder, plan, run, value=0.5 + 0.01 * run.seed)
    study = Study(plan, folder)
    study.write()
    return study


def test_a_look_is_counted_once_for_what_it_shows(plan, tmp_path):
    finished(plan, tmp_path)
    for _ in range(3):
        record_look(StudyResults.from_folder(tmp_path))
    assert [len(look["seeds"]) for look in described(tmp_path)["looks"]] == [3]
    finished(replace(plan, seeds=(0, 1, 2, 3)), tmp_path)
    record_look(StudyResults.from_folder(tmp_path))
    assert [len(look["seeds"]) for look in described(tmp_path)["looks"]] == [3, 4]
    notes = Summary.from_folder(tmp_path).notes
    assert any(note.startswith("Look 2 at this study (3 and 4 seeds).") for note in notes)


def test_what_the_command_shows_is_a_look_and_writes_the_same_bytes_again(plan, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("equipoise.lab.reports.write_report", lambda study, *_: study.folder / "report.html")
    study = finished(plan, tmp_path)
    assert main(["report", str(tmp_path)]) == 0
    before = (tmp_path / "study.json").read_bytes()
    assert len(described(tmp_path)["looks"]) == 1
    study.write()
    assert (tmp_path / "study.json").read_bytes() == before


def test_where_a_look_cannot_be_recorded_the_table_is_printed_and_it_is_said(plan, tmp_path, monkeypatch, capsys):
    finished(plan, tmp_path)

    def refused(path, content):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

    monkeypatch.setattr("equipoise.lab.studies.looks.write_json", refused)
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path)])
    out, err = capsys.readouterr()
    assert "Over 3 seeds" in out
    assert "mgda" in out
    assert "this look could not be recorded" in " ".join(err.split())
    assert "Read-only file system" in err


def test_a_look_counts_runs_and_not_lines_of_their_table(plan, tmp_path):
    finished(plan, tmp_path)
    table = (tmp_path / "costs.csv").read_bytes()
    (tmp_path / "costs.csv").write_bytes(table.replace(b"sum,0", b'"s\num",0'))
    study = described(tmp_path)
    study["files"]["costs.csv"] = file_hash(tmp_path / "costs.csv")
    study.pop("sha256")
    write_json(tmp_path / "study.json", study)
    results = StudyResults.from_folder(tmp_path)
    assert results.look["runs"] == len(results.costs) == len(plan.runs)


def test_a_study_at_work_is_read_once_its_files_fit_together(plan, tmp_path, monkeypatch):
    finished(plan, tmp_path)
    study = described(tmp_path) | {"complete": False}
    study.pop("sha256")
    write_json(tmp_path / "study.json", study)
    runs = tmp_path / "runs.csv"
    whole = runs.read_bytes()
    runs.write_bytes(whole[: len(whole) // 2])  # the table is written anew, study.json not yet
    monkeypatch.setattr("equipoise.lab.evaluation.study.sleep", lambda seconds: runs.write_bytes(whole))
    assert len(StudyResults.from_folder(tmp_path).costs) == len(plan.runs)


def test_what_is_left_out_is_kept_for_good(plan, tmp_path):
    finished(plan, tmp_path)
    finished(replace(plan, arms=tuple(map(parse_arm, ("sum",))), seeds=(0, 1)), tmp_path)
    assert described(tmp_path)["left_out"] == {"methods": ["mgda"], "seeds": [2]}
    finished(plan, tmp_path)
    assert described(tmp_path)["left_out"] == {"methods": ["mgda"], "seeds": [2]}
    (note,) = [note for note in Summary.from_folder(tmp_path).notes if note.startswith("Left out")]
    assert "method mgda and seed 2 (mgda and seed 2 taken in again)" in note


def test_a_deleted_description_is_made_anew_and_says_that_looks_are_forgotten(plan, tmp_path):
    finished(plan, tmp_path)
    assert "made_anew" not in described(tmp_path)
    record_look(StudyResults.from_folder(tmp_path))
    (tmp_path / "study.json").unlink()
    for _ in range(2):  # and is not forgotten again
        Study(plan, tmp_path).write()
        assert "looks" not in described(tmp_path)
        (note,) = [note for note in Summary.from_folder(tmp_path).notes if "made anew" in note]
        assert "looks before that" in note


def test_what_never_finished_is_not_left_out(plan, tmp_path):
    Study(plan, tmp_path).write()
    study = Study(replace(plan, seeds=(0, 1)), tmp_path)
    study.write()
    assert "left_out" not in described(tmp_path)


def test_looks_are_chosen_before_the_first(plan, tmp_path):
    planned = make_plan("reviews", ["sum", "mgda"], range(9), epochs=2, looks=3)
    assert planned.planned_looks == (3, 6, 9)
    finished(replace(planned, seeds=planned.seeds[:3]), tmp_path / "a")
    assert described(tmp_path / "a")["planned_looks"] == [3, 6, 9]
    with pytest.raises(ValueError, match="looks planned at 3, 6, 9 seeds: ask for looks 3 and seeds 9"):
        Study(plan, tmp_path / "a")
    finished(plan, tmp_path / "b")
    record_look(StudyResults.from_folder(tmp_path / "b"))
    with pytest.raises(ValueError, match="looked at without a plan"):
        Study(planned, tmp_path / "b")


@pytest.mark.parametrize(("gain", "seeds"), [(0.1, 3), (0.0, 9)])
def test_planned_looks_stop_at_the_first_finding(gain, seeds, tmp_path, monkeypatch, capsys):
    draws = iter([0.003, -0.001, 0.002, -0.004, 0.001, -0.002, 0.004, -0.003, 0.0005] * 50)

    def run(self, jobs, track, execute):
        self.write()
        for one in self.missing:
            finish(
                tmp_path,
                self.plan,
                one,
                value=0.5 + 0.01 * one.seed + gain * (str(one.arm) == "mgda") + next(draws) / 10,
            )
        self.results = Study(self.plan, tmp_path).results
        self.write()
        yield from ()

    monkeypatch.setattr(Study, "run", run)
    monkeypatch.setattr("equipoise.lab.reports.write_report", lambda study, *_: study.folder / "report.html")
    words = [
        "compare",
        "reviews",
        "--methods",
        "sum,mgda",
        "--tuned-trials",
        "0",
        "--epochs",
        "2",
        "--out",
        str(tmp_path),
    ]
    for _ in range(2):  # the same command again shows where it ended, and trains nothing
        assert main([*words, "--seeds", "9", "--looks", "3"]) == 0
        study = described(tmp_path)
        assert len(study["seeds"]) == seeds
        assert len(study["looks"]) == seeds / 3
        assert ("of 9 seeds are not needed" in capsys.readouterr().out) == (seeds < 9)
        assert "left_out" not in study
