"""A case with one task: its single-task network is that of the plain sum, and is trained once."""

import pytest
from tiny_case import make_one_task

from equipoise.lab.arms import parse_arm
from equipoise.lab.evaluation import Summary
from equipoise.lab.studies import Study, make_plan
from equipoise.lab.studies.plan import Run, run_name
from equipoise.lab.training import RunResult


class One:
    """The tiny case with its first task alone."""

    @property
    def options(self):
        return {}

    def __call__(self):
        return make_one_task()


def finish(folder, plan, run):
    place = folder / "runs" / run.folder_name
    place.mkdir(parents=True)
    scores = [(split, task, "rmse", 0.5 + run.seed / 10) for split in ("validation", "test") for task in run.tasks]
    history, name = [(1, "train", run.tasks[0], "loss", 0.3)], f"{run_name(run, plan.identity_hash)}: made"
    RunResult(scores, history, 1, 2, 10, 1.0, 0.1, 1.0, 300.0, False, 0, 0, name).write(place / "result.json")


def test_the_same_training_is_not_run_twice():
    assert make_plan(One(), ["sum", "uw"], [0, 1]).runs == tuple(
        Run(parse_arm(method), ("a",), seed) for seed in (0, 1) for method in ("sum", "uw")
    )
    without_sum = make_plan(One(), ["uw"], [0])  # nothing else is its baseline
    assert without_sum.runs == (Run(parse_arm("single-task"), ("a",), 0), Run(parse_arm("uw"), ("a",), 0))
    assert "single-task" not in make_plan(One(), ["sum"], [0]).budgets


def test_the_notes_say_so_and_no_run_is_said_to_be_missing(tmp_path):
    plan = make_plan(One(), ["sum", "uw"], [0, 1])
    Study(plan, tmp_path / "study").write()
    for run in plan.runs:
        finish(tmp_path / "study", plan, run)
    Study(plan, tmp_path / "study").write()
    summary = Summary.from_folder(tmp_path / "study")
    assert [note for note in summary.notes if "single-task" in note] == [
        "The case has one task, so single-task is the same training as sum, which stands for both."
    ]
    assert "single-task" not in summary.headline


def test_sharing_cannot_be_asked_of_one_task():
    with pytest.raises(ValueError, match="case one has one task, so there is nothing to share"):
        make_plan(One(), ["sum"], [0], question="sharing")
