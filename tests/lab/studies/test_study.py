import csv
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from equipoise.lab.arms import parse_arm
from equipoise.lab.evaluation import Summary
from equipoise.lab.studies import Event, Run, Study, make_plan
from equipoise.lab.studies.plan import run_name
from equipoise.lab.training import RunResult


@pytest.fixture(scope="module")
def plan():
    return make_plan("reviews", ["sum", "mgda"], [1, 0], epochs=2)


METRICS = {"rating": "rmse", "recommended": "auroc", "department": "accuracy"}


def finish(folder, plan, run, value=0.5):
    """Leave a result as a finished run does."""
    place = folder / "runs" / run.folder_name
    place.mkdir(parents=True)
    scores = [(split, task, METRICS[task], value) for split in ("validation", "test") for task in run.tasks]
    history = [(epoch, "train", task, "loss", 1 / 3) for epoch in (1, 2) for task in run.tasks]
    RunResult(
        scores, history, 1, 2, 10, 1.0, 0.1, 1.0, 300.0, False, 0, 0, run=f"{run_name(run, plan.identity_hash)}: made"
    ).write(place / "result.json")


def rows(folder, name):
    with (folder / name).open(newline="") as file:
        return list(csv.reader(file))


def test_only_what_is_missing_runs(plan, tmp_path):
    Study(plan, tmp_path).write()
    for run in plan.runs[:-2]:
        finish(tmp_path, plan, run)
    asked = []

    def fail_then_finish(work, items, jobs):
        first, second = items
        asked.extend((first, second))
        yield Event("failed", first, ("ValueError: no luck", "all of the trace"))
        finish(tmp_path, plan, second)
        yield Event("finished", second, ([],))

    study = Study(plan, tmp_path)
    list(study.run(jobs=2, execute=fail_then_finish))
    plain, gradients = plan.runs[-2:]
    assert asked == [gradients, plain]  # the longest first
    assert study.failures == {gradients: "ValueError: no luck"}
    description = json.loads((tmp_path / "study.json").read_text())
    assert description["complete"] is False
    assert description["failed"] == {"mgda, seed 0": "ValueError: no luck"}
    assert (tmp_path / "runs" / "mgda-all-seed0" / "error.txt").read_text() == "all of the trace"
    assert Study(plan, tmp_path).missing == (gradients,)


def test_more_seeds_and_methods_add_only_what_is_missing(plan, tmp_path):
    Study(plan, tmp_path).write()
    for run in plan.runs:
        finish(tmp_path, plan, run)
    more = replace(plan, arms=tuple(map(parse_arm, ("sum", "uw", "mgda"))), seeds=(1, 0, 2))
    missing = {(str(run.arm), run.seed) for run in Study(more, tmp_path).missing}
    assert missing == {("uw", 0), ("uw", 1), ("uw", 2), ("sum", 2), ("mgda", 2), ("single-task", 2)}


def test_the_tables_are_in_order_whatever_the_order_of_the_runs(plan, tmp_path):
    Study(plan, tmp_path).write()
    for run in reversed(plan.runs):
        finish(tmp_path, plan, run, value=1 / 3)
    Study(plan, tmp_path).write()
    header, *found = rows(tmp_path, "runs.csv")
    assert header == ["method", "seed", "split", "task", "metric", "value"]
    order = [
        [method, seed, split, task, METRICS[task], "0.3333333333333333"]
        for method in ("single-task", "sum", "mgda")
        for seed in ("0", "1")
        for split in ("test", "validation")
        for task in ("department", "rating", "recommended")
    ]
    assert found == order
    assert rows(tmp_path, "history.csv")[:3] == [
        ["method", "seed", "epoch", "split", "task", "quantity", "value"],
        ["single-task", "0", "1", "train", "department", "loss", "0.3333333333333333"],
        ["single-task", "0", "1", "train", "rating", "loss", "0.3333333333333333"],
    ]
    costs = rows(tmp_path, "costs.csv")
    assert [row[:3] for row in costs[1:5]] == [
        ["single-task", "0", "department"],
        ["single-task", "0", "rating"],
        ["single-task", "0", "recommended"],
        ["single-task", "1", "department"],
    ]
    assert costs[7] == ["sum", "0", "all", "2", "1", "10", "0.1", "1.0", "300.0", "1.0", "0", "0"]
    assert json.loads((tmp_path / "study.json").read_text())["test_reads"] == 1


def spoil_result(content, other):
    return {
        "another seed's": other,
        "another number": content.replace(b"0.5", b"0.9"),
        "cut": content[:-100],
        "{}": b"{}",
        "empty": b"",
    }


@pytest.mark.parametrize("damage", ["another seed's", "another number", "cut", "{}", "empty"])
def test_a_result_that_is_not_the_runs_own_is_named(plan, tmp_path, damage):
    Study(plan, tmp_path).write()
    for run in plan.runs:
        finish(tmp_path, plan, run)
    one, other = (tmp_path / "runs" / f"sum-all-seed{seed}" / "result.json" for seed in (0, 1))
    one.write_bytes(spoil_result(one.read_bytes(), other.read_bytes())[damage])
    with pytest.raises(ValueError, match=r"sum-all-seed0/result\.json .*: delete it; ") as refused:
        Study(plan, tmp_path)
    assert "seed1" not in str(refused.value).replace("seed 1", "").partition(": delete")[2]
    one.unlink()
    assert [str(run) for run in Study(plan, tmp_path).missing] == ["sum, seed 0"]


def test_of_many_damaged_results_some_are_named(plan, tmp_path):
    Study(plan, tmp_path).write()
    for run in plan.runs:
        finish(tmp_path, plan, run)
        (tmp_path / "runs" / run.folder_name / "result.json").write_text("null")
    with pytest.raises(ValueError, match=rf"{len(plan.runs) - 3} more: delete .*runs to make all runs anew"):
        Study(plan, tmp_path)


def test_a_study_without_its_description_is_described_anew(plan, tmp_path):
    Study(plan, tmp_path).write()
    for run in plan.runs:
        finish(tmp_path, plan, run)
    Study(plan, tmp_path).write()
    for content in ("", "{}", "null", (tmp_path / "study.json").read_text()[:-20]):
        (tmp_path / "study.json").write_text(content)
        with pytest.raises(ValueError, match=r"study\.json .*: delete it; "):
            Study(plan, tmp_path)
    (tmp_path / "study.json").unlink()
    assert Study(plan, tmp_path).missing == ()
    longer = replace(plan, settings=replace(plan.settings, epochs=5))
    with pytest.raises(ValueError, match="is the result of another run"):
        Study(longer, tmp_path)


def test_what_is_left_out_is_what_the_folder_holds_and_seeds_are_called_so(tmp_path):
    larger = make_plan("reviews", ["sum", "uw", "mgda"], [0, 1, 2, 7], epochs=2)
    Study(larger, tmp_path).write()
    for run in larger.runs:
        if str(run.arm) in ("single-task", "sum", "uw") and run.seed in (0, 1, 7):
            finish(tmp_path, larger, run)  # mgda and seed 2 were asked for, and never ran
    smaller = make_plan("reviews", ["sum"], [0], epochs=2)
    assert Study(smaller, tmp_path).left_out == ("uw", "seeds 1 and 7")
    assert Study(make_plan("reviews", ["sum", "uw"], [0, 1], epochs=2), tmp_path).left_out == ("seed 7",)
    assert Study(larger, tmp_path).left_out == ()


def test_a_folder_of_other_settings_is_refused(plan, tmp_path):
    Study(plan, tmp_path).write()
    longer = replace(plan, settings=replace(plan.settings, epochs=5))
    with pytest.raises(ValueError, match=r"settings\.epochs is 2, now 5.*choose another folder"):
        Study(longer, tmp_path)


def test_a_method_whose_file_has_changed_is_refused(plan, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("from equipoise import Sum as Mine\n")
    mine = replace(plan, arms=tuple(map(parse_arm, ("sum", "mine.py:Mine"))))
    Study(mine, tmp_path / "study").write()
    Study(mine, tmp_path / "study")
    Study(plan, tmp_path / "study").write()  # does not ask for it, and does not forget it
    (tmp_path / "mine.py").write_text("from equipoise import UW as Mine\n")
    with pytest.raises(ValueError, match=r"method_files\.mine\.py:Mine"):
        Study(mine, tmp_path / "study")


def test_a_folder_of_something_else_is_refused(plan, tmp_path):
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds something else than a study"):
        Study(plan, tmp_path)
    with pytest.raises(ValueError, match="cannot be made"):
        Study(plan, tmp_path / "thesis.txt")


@pytest.mark.skipif(sys.platform == "win32", reason="no lock there")
def test_two_processes_do_not_work_in_one_folder(plan, tmp_path):
    def begin():
        running = Study(plan, tmp_path).run(
            jobs=1, execute=lambda work, items, jobs: (Event("started", r) for r in items)
        )
        next(running)
        return running

    running = begin()
    with pytest.raises(ValueError, match="another process is at work"):
        begin()
    running.close()
    begin()


def test_jobs_must_be_positive(plan, tmp_path):
    with pytest.raises(ValueError, match="jobs must be at least 1, got 0"):
        next(Study(plan, tmp_path).run(jobs=0))


def in_this_process(work, items, jobs):
    """``run_jobs`` without processes."""
    for item in items:
        yield Event("finished", item, (work(item, lambda *details: None),))


KILLED = """
import os, sys
from pathlib import Path
from equipoise.lab.studies import Event, Study, make_plan

def die_in_the_second(work, items, jobs):
    for number, item in enumerate(items):
        yield Event("finished", item, (work(item, lambda *details: number and os.kill(os.getpid(), 9)),))

list(Study(make_plan(sys.argv[1], ["pcgrad"], [0]), Path(sys.argv[2])).run(jobs=1, execute=die_in_the_second))
"""


def test_a_study_killed_in_the_middle_of_a_run_resumes_to_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    case = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"
    plan = make_plan(case, ["pcgrad"], [0])
    list(Study(plan, tmp_path / "whole").run(jobs=1, execute=in_this_process))
    words = [sys.executable, "-c", KILLED, case, str(tmp_path / "killed")]
    assert subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "1"}).returncode == -signal.SIGKILL
    study = Study(plan, tmp_path / "killed")
    assert len(study.missing) == len(plan.runs) - 1
    list(study.run(jobs=1, execute=in_this_process))
    for name in ("runs.csv", "history.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.slow
def test_a_killed_study_goes_on_and_ends_in_the_same_bytes(tmp_path, monkeypatch):
    """The parent dies while it tunes, then a worker in the middle of a run; both times the same call goes on."""
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    others = set(multiprocessing.active_children())  # of other tests
    case = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"
    plan = make_plan(case, ["pcgrad", "frozen-pcgrad"], [0], epochs=40, tuned_trials=2)
    undisturbed = Study(plan, tmp_path / "whole")
    list(undisturbed.run(jobs=1, execute=in_this_process))

    folder = tmp_path / "killed"
    options = ["--methods=pcgrad,frozen-pcgrad", "--tuned-trials=2", "--seeds=1", "--epochs=40", "--jobs=1"]
    parent = subprocess.Popen(
        [sys.executable, "-m", "equipoise", "compare", case, *options, f"--out={folder}"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert parent.stdout.readline().startswith("Starting: 5 runs")
    first = next(line for line in parent.stdout if line.startswith("["))
    assert first.startswith("[1/2] trial 0: done")
    parent.kill()
    parent.communicate(timeout=60)  # ends when the last holder of the pipe does: no worker outlives its parent

    study = Study(plan, folder)
    assert study.results == {}
    with closing(study.run(jobs=1)) as events:
        kinds = []
        for event in events:
            is_run = isinstance(event.item, Run)
            if is_run and event.kind == "progress" and not study.failures:
                (worker,) = set(multiprocessing.active_children()) - others
                worker.kill()
                worker.join()
            kinds.append(event.kind if is_run else "")
    assert kinds.count("failed") >= 1
    assert len(study.missing) <= 2  # what the worker did not finish before it died, and what needs it

    study = Study(plan, folder)
    list(study.run(jobs=1))
    assert study.missing == ()
    assert set(multiprocessing.active_children()) == others
    for name in ("runs.csv", "history.csv", "tuned.json", "tuned/trials.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert Summary.from_folder(folder).methods == ("pcgrad", "frozen-pcgrad", "tuned")
