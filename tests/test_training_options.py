"""The options of training: each setting has one, on the command line and in a study.yaml, and the study keeps it."""

import dataclasses
import json
import math

import pytest

from asked_plan import first_call
from equipoise.cli import main
from equipoise.cli.training import OPTIONS
from equipoise.lab.cases import CASES, reviews
from equipoise.lab.search.tune import make_tuning
from equipoise.lab.studies import Study, make_plan
from equipoise.lab.training import Settings

NO_SETTINGS = ("epochs", "tuned_trials", "question", "looks", "single_task", "sklearn")
GIVEN = {
    "batch_size": 128,
    "learning_rate": 0.002,
    "schedule": "cosine",
    "warmup": 20,
    "weight_decay": 0.05,
    "weight_decay_end": 0.2,
    "clip_norm": 1.0,
    "clip_value": 0.5,
    "average": 0.99,
    "micro_batches": 4,
    "precision": "bf16",
    "patience": 7,
    "task_patience": 3,
    "select": "rating/loss",
    "keep": ("rating", "department/accuracy"),
    "start": "labels",
    "temperature": 2.0,
    "l1": 1e-4,
    "l2": 1e-3,
}
WORDS = {**GIVEN, "keep": "rating,department/accuracy", "temperature": "sqrt"}


@pytest.fixture(scope="module")
def case():
    return reviews()


@pytest.fixture(autouse=True)
def one_reading(case, monkeypatch):
    monkeypatch.setitem(CASES, "reviews", lambda: case)


def asked(monkeypatch, *words):
    """The settings that a command line asks for."""
    _, options = first_call(monkeypatch, ["compare", *words])
    return {name: value for name, value in options.items() if name not in NO_SETTINGS}


def test_every_setting_has_an_option():
    options = {option.name for option in OPTIONS}
    assert options == set(GIVEN) == {field.name for field in dataclasses.fields(Settings)} - {"epochs"}


def test_words_and_a_file_mean_the_same_settings(monkeypatch, tmp_path):
    words = [f"--{name.replace('_', '-')}={value}" for name, value in WORDS.items()]
    assert asked(monkeypatch, "reviews", *words) == GIVEN
    lines = [f"{name.replace('_', '-')}: {json.dumps(value)}" for name, value in WORDS.items()]
    (tmp_path / "study.yaml").write_text("\n".join(["case: reviews", *lines]))
    assert asked(monkeypatch, "--config", str(tmp_path / "study.yaml")) == GIVEN
    assert asked(monkeypatch, "reviews") == {}
    assert asked(monkeypatch, "reviews", "--temperature=uniform") == {"temperature": math.inf}


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("--schedule=cosin", "no schedule 'cosin'; did you mean 'cosine'?"),
        ("--average=2", "average must be 0 or more and below 1 or None, got 2.0"),
        ("--select=ratin", "no epoch can be selected by 'ratin'; did you mean 'rating'?"),
        ("--keep=rating/auroc", "no epoch can be selected by 'rating/auroc'"),
        ("--temperature=cold", "proportional, sqrt, uniform or a number, got 'cold'"),
        ("--temperature=sqrt", "temperature=2.0 is for several sources, and the training split is one data set"),
        ("--micro-batches=1000", "micro_batches must be at most batch_size, 128, got 1000"),
        ("--clip-vale=1", "unknown option '--clip-vale'; did you mean '--clip-value'"),
    ],
)
def test_wrong_values_are_one_line(word, line, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["compare", "reviews", word])
    error = capsys.readouterr().err
    assert left.value.code == 2
    assert error.count("\n") == 1
    assert line in error


def test_a_study_keeps_what_is_not_the_default_and_refuses_another(tmp_path):
    plain = make_plan("reviews", ["sum"], [0])
    assert set(plain.identity["settings"]) == {
        *(field.name for field in dataclasses.fields(Settings)[:6]),
        "schedule",  # the case's own, which is no default of the settings
    }
    options = {"schedule": "linear", "keep": ("rating",)}
    Study(make_plan("reviews", ["sum"], [0], **options), tmp_path).write()
    settings = json.loads((tmp_path / "study.json").read_text())["settings"]
    assert {**plain.identity["settings"], "schedule": "linear", "keep": ["rating"]} == settings
    Study(make_plan("reviews", ["sum"], [0, 1], **options), tmp_path)
    with pytest.raises(ValueError, match=r"settings\.schedule is linear, now cosine"):
        Study(make_plan("reviews", ["sum"], [0], keep=("rating",)), tmp_path)


def test_a_search_has_them_too_and_stages_stop_for_nothing(tmp_path):
    made = make_tuning("reviews", "fixed", ["weights"], "random", 3, tmp_path / "random", schedule="linear", patience=5)
    assert (made.evaluate.settings.schedule, made.evaluate.settings.patience) == ("linear", 5)
    made = make_tuning("reviews", "fixed", ["weights"], "halving", 4, tmp_path / "staged", epochs=6, average=0.9)
    assert (made.evaluate.settings.average, made.evaluate.settings.patience) == (0.9, 6)
    with pytest.raises(ValueError, match="halving compares trials after equal steps: leave patience"):
        make_tuning("reviews", "fixed", ["weights"], "halving", 4, tmp_path / "refused", task_patience=2)
