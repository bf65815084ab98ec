"""Losses as rows of a study: what such a row trains, and what the question about them compares."""

import json
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pytest
import tiny_case
import torch
from tests.lab.reports.report_reading import write_report
from torch import nn

import equipoise as eq
from equipoise.lab.arms import SUM, parse_arm
from equipoise.lab.cases.recipe import CaseWithLosses
from equipoise.lab.evaluation import Summary
from equipoise.lab.studies import Event, Study, make_plan
from equipoise.lab.studies.plan import Run
from equipoise.lab.studies.questions import losses_by_arm, one_at_a_time
from equipoise.lab.training import RunResult

KNOWN = {
    "a": {"mse": lambda: nn.MSELoss(), "huber": lambda delta=1.0: nn.HuberLoss(delta=delta), "l1": lambda: nn.L1Loss()},
    "b": {
        "bce": lambda weight=1.0: nn.BCEWithLogitsLoss(pos_weight=torch.tensor(weight)),
        "focal": eq.losses.BinaryFocalLoss,
    },
}


@dataclass(frozen=True)
class Tiny:
    """The tiny case, which knows these losses; or with other losses written into it by hand."""

    by_hand: tuple = ()

    @property
    def options(self):
        return {"by_hand": [repr(loss) for loss in self.by_hand]} if self.by_hand else {}

    def __call__(self):
        case = replace(tiny_case.make_case(), losses=KNOWN)
        if self.by_hand:
            tasks = eq.Tasks([eq.Task(name, loss) for name, loss in zip("ab", self.by_hand, strict=True)])
            case = replace(case, tasks=tasks, losses={})
        return case


def direct(work, items, jobs):
    """``run_jobs`` in this process, one after another."""
    for item in items:
        yield Event("started", item)
        yield Event("finished", item, (work(item, lambda *details: None),))


def finished(recipe, methods, folder, seeds=(0,), **options):
    study = Study(make_plan(recipe, methods, seeds, epochs=2, **options), folder)
    list(study.run(1, execute=direct))
    return study


def result(study, method, seed=0):
    return RunResult.read(study.folder / "runs" / Run(parse_arm(method), ("a", "b"), seed).folder_name / "result.json")


@pytest.mark.parametrize(
    ("method", "expected"),
    [
        ("mask=dice", {"mask": "dice"}),
        ("mask=cross-entropy-dice+stress=focal", {"mask": "cross-entropy-dice", "stress": "focal"}),
        ("a=soft-f1:proportion=0.3+b=focal:gamma=1e-3", {"a": "soft-f1:proportion=0.3", "b": "focal:gamma=1e-3"}),
        ("a task+more=l1", {"a task+more": "l1"}),
        ("path/to/a=b.py:Name", {}),
        ("path/to/b.py:Name", {}),
        ("a=path/to/b.py:Name", {"a": "path/to/b.py:Name"}),
        ("mask=dice+a=b.py:Name:gamma=2+km/h=l1", {"mask": "dice", "a": "b.py:Name:gamma=2", "km/h": "l1"}),
        ("sum", {}),
        ("single-task", {}),
        ("", {}),
        ("mask=", {}),
        ("=dice", {}),
        ("mask=dice+", {}),
        ("mask=dice+stress", {}),
        ("mask=dice loss", {}),
    ],
)
def test_which_names_mean_losses(method, expected):
    assert parse_arm(method).losses == expected


def test_a_row_the_option_and_a_case_written_with_that_loss_train_the_same_network(tmp_path):
    row = finished(Tiny(), ["sum", "a=huber:delta=0.3+b=focal"], tmp_path / "row", seeds=(3,))
    option = finished(
        CaseWithLosses(Tiny(), (("a", "huber:delta=0.3"), ("b", "focal"))), ["sum"], tmp_path / "option", seeds=(3,)
    )
    by_hand = finished(
        Tiny((nn.HuberLoss(delta=0.3), eq.losses.BinaryFocalLoss())), ["sum"], tmp_path / "hand", seeds=(3,)
    )
    found = result(row, "a=huber:delta=0.3+b=focal", 3)
    for study in (option, by_hand):
        other = result(study, "sum", 3)
        assert (found.history, found.scores) == (other.history, other.scores)
    assert found.history != result(row, "sum", 3).history
    assert training_of(found) == training_of(result(option, "sum", 3))  # which says which losses
    assert training_of(found) != training_of(result(row, "sum", 3))


def training_of(found):
    """What was trained, without the name of the run and the mark of its study."""
    return found.run.partition(": ")[2]


def test_losses_are_told_apart_by_name_and_every_argument():
    option = CaseWithLosses(Tiny(), (("a", "huber:delta=0.5"),))
    described = make_plan(option, ["a=huber:delta=2", "a=mse+b=focal"], [0]).describe()
    assert described["tasks"]["a"]["loss"] == "huber(delta=0.5)"
    assert described["losses"] == {
        "a=huber:delta=2": {"a": "huber(delta=2)"},
        "a=mse+b=focal": {"a": "mse", "b": "focal(gamma=2, alpha=None, reduction='mean')"},
    }


def test_an_option_whose_loss_fails_is_told_before_any_run():
    with pytest.raises(ValueError, match=r"a=huber:delta=-1: .*non-positive values for delta"):
        CaseWithLosses(Tiny(), (("a", "huber:delta=-1"),))()


def test_single_tasks_keep_the_cases_own_losses(tmp_path):
    with_row = finished(Tiny(), ["a=l1"], tmp_path / "one")
    without = finished(Tiny(), ["sum"], tmp_path / "other")
    alone = Run(parse_arm("single-task"), ("a",), 0)
    assert with_row.results[alone].history == without.results[alone].history


def test_the_option_is_another_experiment_and_stands_in_the_description(tmp_path):
    option = CaseWithLosses(Tiny(), (("a", "l1"),))
    plan = make_plan(option, ["sum"], [0])
    assert plan.identity["options"] == {"losses": {"a": "l1"}}
    assert plan.identity["tasks"]["a"]["loss"] == "l1"
    assert plan.identity["tasks"]["b"]["loss"] == "BCEWithLogitsLoss()"
    assert plan.case.name == "tiny-a-l1"
    Study(make_plan(Tiny(), ["sum"], [0]), tmp_path).write()
    with pytest.raises(ValueError, match=r"tasks\.a\.loss is MSELoss\(\), now l1"):
        Study(plan, tmp_path)


def test_a_row_is_described_and_costs_no_more_than_the_sum(tmp_path):
    study = Study(make_plan(Tiny(), ["a=huber", "uw"], [0]), tmp_path)
    study.write()
    described = json.loads((tmp_path / "study.json").read_text())
    assert described["losses"] == {"a=huber": {"a": "huber(delta=1)"}}
    assert described["methods"] == ["a=huber", "uw"]
    assert described["method_files"] == {}
    assert [str(run.arm) for run in study._queue()][:2] == ["a=huber", "uw"]
    assert "losses" not in make_plan(Tiny(), ["uw"], [0]).describe()


def renamed(case, **names):
    """The case with its tasks under other names."""
    old = {new: name for name, new in names.items()}
    tasks = [eq.Task(names[task.name], task.loss, output=task.name, target=task.name) for task in case.tasks]
    return replace(
        case,
        tasks=eq.Tasks(tasks),
        metrics={names[name]: metrics for name, metrics in case.metrics.items()},
        losses={names[name]: known for name, known in case.losses.items()},
        model=lambda chosen: case.model([old[name] for name in chosen]),
    )


def test_losses_of_a_task_called_frozen_wait_for_nothing(tmp_path):
    plan = make_plan(Tiny(), ["sum"], [0])
    plan = replace(plan, case=renamed(plan.case, a="frozen-food", b="b"), arms=(SUM, parse_arm("frozen-food=huber")))
    order = list(islice(Study(plan, tmp_path)._queue(), 4))
    assert None not in order
    assert "frozen-food=huber" in [str(run.arm) for run in order]
    assert plan.budgets["frozen-food=huber"] == plan.budgets["sum"]


@pytest.mark.parametrize(("name", "read_back"), [("p=b+c", False), ("p=b", True), ("b+c", True)])
def test_a_task_whose_name_reads_as_losses_is_told_in_one_line(name, read_back):
    case = renamed(Tiny()(), a=name, b="b")
    if read_back:
        assert losses_by_arm(case, one_at_a_time(case)).keys() == {f"{name}=huber", f"{name}=l1", "b=focal"}
    else:
        with pytest.raises(ValueError, match=r"task 'p=b\+c' reads as a choice of losses: give it a name without ="):
            one_at_a_time(case)


def test_a_run_that_waits_for_what_nobody_trains_is_an_error(tmp_path):
    plan = replace(make_plan(Tiny(), ["sum"], [0]), arms=(SUM, parse_arm("frozen-uw")))
    with pytest.raises(ValueError, match="frozen-uw, seed 0 waits for uw, seed 0, which the plan does not train"):
        next(Study(plan, tmp_path)._queue())


@pytest.mark.parametrize(
    ("methods", "question", "expected"),
    [
        (["sum"], "losses", ("sum", "a=huber", "a=l1", "b=focal")),
        (["b=focal"], "losses", ("sum", "b=focal")),
        (["a=l1", "sum", "a=l1+b=focal"], "losses", ("a=l1", "sum", "a=l1+b=focal")),
        (["sum", "uw", "a=l1"], "", ("sum", "uw", "a=l1")),
    ],
)
def test_what_is_trained(methods, question, expected):
    assert make_plan(Tiny(), methods, [0], question=question).arms == tuple(map(parse_arm, expected))


def test_the_question_is_about_the_losses_that_the_option_leaves(tmp_path):
    plan = make_plan(CaseWithLosses(Tiny(), (("a", "l1"),)), ["sum"], [0], question="losses")
    assert [*map(str, plan.arms)] == ["sum", "a=mse", "a=huber", "b=focal"]


@pytest.mark.parametrize(
    ("methods", "options", "message"),
    [
        (["sum", "uw"], {"question": "losses"}, "question losses compares losses, such as mask=dice, and uw is none"),
        (["a=l1"], {"question": "losses", "tuned_trials": 3}, "question losses compares .*: leave out tuned_trials"),
        (["a=l1"], {"question": "sharing"}, "question sharing trains sum only"),
        (["a=l1"], {"question": "freeze"}, "a=l1 is the plain sum with another loss: .* nothing to freeze"),
        (["a=hubert"], {}, "task 'a' has no loss 'hubert'; did you mean 'huber'"),
        (["c=l1"], {}, "no task 'c'"),
        (["a=mse"], {}, "a=mse: mse is the case's own loss of 'a', which sum has: leave it out"),
        (["b=bce:weight=1"], {}, "b=bce:weight=1: bce:weight=1 is the case's own loss of 'b'"),
        (["a=huber", "a=huber:delta=1"], {}, "a=huber:delta=1 and a=huber are the same losses"),
        (["a=huber:delta=2", "a=huber:delta=2.0"], {}, "a=huber:delta=2.0 and a=huber:delta=2 are the same losses"),
        (["a=huber:delta=-1"], {}, "a=huber:delta=-1: .*non-positive values for delta"),
        (["a=l1+b=bce:weight=nan"], {}, "b=bce:weight=nan: a batch has the loss nan, which is not finite"),
        (["a=huber+a=l1"], {}, r"a=huber\+a=l1 gives a task two losses"),
        (["b=focal+a=l1", "a=l1+b=focal"], {}, r"a=l1\+b=focal and b=focal\+a=l1 are the same losses"),
        (["path/a=b.py:Name"], {}, "no file"),
        (["a="], {}, "'a=' is no method; another loss is TASK=LOSS, such as mask=dice"),
        (["b=focal:gamma"], {}, "'b=focal:gamma' is no method; another loss is TASK=LOSS, such as mask=dice"),
    ],
)
def test_what_cannot_be_compared(methods, options, message):
    with pytest.raises(ValueError, match=message):
        make_plan(Tiny(), methods, [0], **options)


def test_a_case_without_losses_has_no_such_question():
    tiny = f"{Path(__file__).parent / 'tiny_case.py'}:make_case"
    with pytest.raises(ValueError, match="case tiny knows no losses but its own"):
        make_plan(tiny, ["sum"], [0], question="losses")


def test_a_method_in_a_file_with_an_equals_sign_stays_one(tmp_path):
    file = tmp_path / "a=l1.py"
    file.write_text("from equipoise import UW as Mine\n")
    study = finished(Tiny(), ["uw", f"{file}:Mine"], tmp_path / "study")
    assert result(study, f"{file}:Mine").history == result(study, "uw").history


def test_the_family_of_the_question_and_what_is_said_of_its_rows(tmp_path):
    study = finished(Tiny(), ["sum"], tmp_path, seeds=(0, 1), question="losses")
    summary = Summary.from_folder(study.folder)
    compared = {(row.method, task, other) for row in summary.rows for task, s in row.scores.items() for other in s.to}
    assert compared == {(row, task, "sum") for row in ("a=huber", "a=l1", "b=focal") for task in "ab"}
    assert summary.tested == len(compared)
    assert summary.ranks is None
    notes = [note for note in summary.notes if "changes loss and balance at once" in note]
    assert len(notes) == 1
    assert notes[0].startswith("a=huber and 2 more of its kind: the plain sum with other losses.")
    assert not any("tuned" in note for note in summary.notes)


def test_in_an_ordinary_study_a_row_is_a_method_among_others(tmp_path, blank_images):
    study = finished(Tiny(), ["sum", "uw", "a=l1"], tmp_path, seeds=(0, 1))
    pairs = {(row.method, other) for row in Summary.from_folder(tmp_path).rows for other in row.scores["a"].to}
    assert {("a=l1", "sum"), ("a=l1", "single-task"), ("uw", "sum")} <= pairs
    assert study.plan.budgets["a=l1"] == study.plan.budgets["uw"]
    assert "2 tasks · 2 methods · 1 other loss · 2 seeds" in write_report(tmp_path).read_text(encoding="utf-8")
