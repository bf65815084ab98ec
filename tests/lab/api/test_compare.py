"""A case is compared from start to end: tuned weights first, then every run, and the folder's results."""

import inspect
import sys
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_type_hints

import pytest

import equipoise as eq
from equipoise import lab
from equipoise.lab.api.comparing import plan_study
from equipoise.lab.settings import Settings, TrainingOptions

CASES = Path(__file__).parents[1] / "studies"
OF_THE_CASE = ("batch_size", "learning_rate", "weight_decay", "patience")
CASE = f"{CASES / 'tiny_case.py'}:make_case"
ONE_TASK = f"{CASES / 'tiny_case.py'}:make_one_task"


def test_weights_are_tuned_where_there_are_some_and_nobody_said():
    assert [*map(str, plan_study(CASE, ["sum", "uw"], [0]).arms)] == [*("sum", "uw", "tuned")]
    assert [*map(str, plan_study(CASE, ["sum", "uw"], [0], tuned_trials=0).arms)] == [*("sum", "uw")]
    assert [*map(str, plan_study(CASE, ["sum"], [0], question="sharing").arms)] == [*("sum",)]


def test_where_there_is_nothing_to_tune_only_who_asked_hears_of_it():
    assert [*map(str, plan_study(ONE_TASK, ["sum"], [0]).arms)] == ["sum"]
    with pytest.raises(ValueError, match="one task, so no weights to tune"):
        plan_study(ONE_TASK, ["sum"], [0], tuned_trials=5)


@pytest.mark.parametrize(
    ("case", "arguments", "message"),
    [
        ("reveiws", {}, "unknown case 'reveiws'; did you mean 'reviews'"),
        ("data.csv", {}, "data.csv is a table: say what to predict and from what"),
        (3, {}, "case must be a case's name, a Case or a recipe, got int"),
        ("reviews", {"tasks": {"rating": ("rmse", "lower")}}, "tasks belong to a loop of one's own"),
        ("reviews", {"methods": {"a": "sum"}}, "methods of a case are names"),
        ("reviews", {"methods": ["nashh"]}, "no method 'nashh'"),
    ],
)
def test_wrong_use_is_named(case, arguments, message):
    with pytest.raises(ValueError, match=message):
        lab.compare(case, **arguments)


def test_a_function_where_a_case_is_expected_is_answered_by_what_to_give():
    with pytest.raises(ValueError, match=r"or a recipe, got function: call it, or give path/to/file\.py:NAME"):
        lab.tune(lambda: None)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: lab.compare("reviews", epoch=3), r"compare\(\) has no option 'epoch'; did you mean 'epochs'\?"),
        (lambda: lab.compare("reviews", learning_rat=1), "compare.* 'learning_rat'; did you mean 'learning_rate'"),
        (lambda: lab.compare(len, tasks={"a": ("mse", "lower")}, titel="x"), "compare.* 'titel'; did you mean 'title'"),
        (lambda: lab.tune("reviews", trails=3), r"tune\(\) has no option 'trails'; did you mean 'trials'"),
    ],
)
def test_an_unknown_option_names_the_likely_one_and_nothing_inside(call, message):
    with pytest.raises(TypeError, match=message) as raised:
        call()
    assert "Settings" not in str(raised.value)


@pytest.mark.parametrize("function", [lab.compare, lab.tune])
def test_an_editor_is_told_every_option(function):
    listed = inspect.signature(function).parameters
    assert {field.name for field in fields(Settings)} <= set(listed)
    assert {"jobs", "folder"} <= set(listed)
    assert inspect.Parameter.VAR_KEYWORD not in {parameter.kind for parameter in listed.values()}
    assert listed["schedule"].default == "constant"


def test_a_type_checker_is_told_every_training_option():
    types = {field.name: field.type for field in fields(Settings) if field.name != "epochs"}
    types |= {name: types[name] | None for name in OF_THE_CASE}
    types |= {
        field.name: Literal[field.metadata["words"]] | str for field in fields(Settings) if field.metadata["words"]
    }
    assert get_type_hints(TrainingOptions) == types


def test_none_is_the_cases_own_as_the_signature_says():
    listed = inspect.signature(lab.compare).parameters
    assert {name: listed[name].default for name in OF_THE_CASE} == dict.fromkeys(OF_THE_CASE)
    asked = plan_study(CASE, ["sum"], [0], **dict.fromkeys(OF_THE_CASE), tuned_trials=0)
    assert asked.settings == plan_study(CASE, ["sum"], [0], tuned_trials=0).settings


def test_a_case_has_a_title_of_its_own():
    with pytest.raises(ValueError, match="title belongs to a loop of one's own"):
        lab.compare("reviews", title="mine")


def test_a_case_that_no_worker_can_take_is_told_so(monkeypatch):
    monkeypatch.syspath_prepend(str(CASES))
    from dataclasses import replace

    from tiny_case import make_case

    case = make_case()
    with pytest.raises(ValueError, match=r"case tiny cannot be handed to a worker process .*give 'path/to/file.py:"):
        lab.compare(replace(case, model=lambda names: case.model(names)), ["sum"], seeds=1)


@pytest.mark.slow
def test_a_case_is_compared_from_start_to_end_and_repeated_for_nothing(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "path", [*sys.path, str(CASES)])
    from tiny_case import make_case

    arguments = {"seeds": 2, "epochs": 1, "jobs": 1, "tuned_trials": 1, "folder": tmp_path / "study"}
    results = lab.compare(make_case(), ["sum", eq.UW()], **arguments)
    assert results.summary.methods == ("sum", "uw", "tuned")
    assert results.study.folder == tmp_path / "study"
    assert (tmp_path / "study" / "tuned.json").is_file()
    assert capsys.readouterr().out.startswith("Starting: 10 runs")

    def nothing(self, work, items, jobs):
        assert list(items) == []
        yield from ()

    monkeypatch.setattr("equipoise.lab.studies.Workers.run", nothing)
    again = lab.compare(make_case(), ["sum", "uw"], **arguments)
    assert capsys.readouterr().out.startswith("Complete: all 10 runs are finished")
    assert repr(again.verdict) == repr(lab.load(tmp_path / "study").verdict) == repr(results.verdict)
