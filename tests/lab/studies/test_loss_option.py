"""``--loss``: the same for compare, tune and probe, on the command line and in a study.yaml."""

import pytest
from torch import nn

from asked_plan import first_call
from equipoise import losses
from equipoise.cli import main
from equipoise.lab.cases import CASES, TableCase, reviews


@pytest.fixture(scope="module")
def case():
    return reviews()


@pytest.fixture(autouse=True)
def one_reading(case, monkeypatch):
    monkeypatch.setitem(CASES, "reviews", lambda: case)


def asked(monkeypatch, *words):
    """What ``make_plan`` is asked for: the case, the methods and the question."""
    (case, methods, *_), options = first_call(monkeypatch, words)
    return case, methods, options["question"]


@pytest.mark.parametrize(
    "words",
    [
        ["--loss", "rating=huber:delta=0.5", "--loss=department=focal"],
        ["--loss", "rating=huber:delta=0.5+department=focal"],
        ["--loss=rating=huber:delta=0.5", "--loss", "department=focal", "--model", "mmoe"],
    ],
)
def test_the_case_has_the_losses(monkeypatch, words):
    recipe, *_ = asked(monkeypatch, "compare", "reviews", *words)
    made = recipe()
    assert isinstance(made.tasks["rating"].loss, nn.HuberLoss)
    assert made.tasks["rating"].loss.delta == 0.5
    assert isinstance(made.tasks["department"].loss, losses.FocalLoss)
    assert recipe.options["losses"] == {"rating": "huber:delta=0.5", "department": "focal"}
    assert ("model" in recipe.options) == ("--model" in words)
    assert hash(recipe) == hash(asked(monkeypatch, "compare", "reviews", *words)[0])


def test_a_study_file_has_them_as_a_mapping_or_a_list_and_the_command_line_wins(monkeypatch, tmp_path):
    file = tmp_path / "study.yaml"
    for text in ("\n  rating: huber\n  department: focal", " [rating=huber, department=focal]"):
        file.write_text(f"case: reviews\nloss:{text}\n")
        recipe, *_ = asked(monkeypatch, "compare", "--config", str(file))
        assert recipe.options == {"losses": {"rating": "huber", "department": "focal"}}
        recipe, *_ = asked(monkeypatch, "compare", "--config", str(file), "--loss", "rating=l1")
        assert recipe.options == {"losses": {"rating": "l1"}}


def test_a_tables_losses(monkeypatch, tmp_path):
    file = tmp_path / "own.csv"
    file.write_text("text,unit price\n" + "\n".join(f"word{n},{n}" for n in range(60)))
    words = [str(file), "--target", "unit price:regression", "--text", "text", "--loss", "unit price=l1"]
    recipe, *_ = asked(monkeypatch, "compare", *words)
    assert isinstance(recipe.recipe, TableCase)
    assert isinstance(recipe().tasks["unit price"].loss, nn.L1Loss)
    assert recipe().name == "own-unit-price-l1"


@pytest.mark.parametrize(
    ("words", "methods"), [([], ("sum",)), (["--methods", "sum,rating=huber"], ("sum", "rating=huber"))]
)
def test_the_question_takes_the_methods_that_are_named_or_none(monkeypatch, words, methods):
    _, asked_for, question = asked(monkeypatch, "compare", "reviews", "--question", "losses", *words)
    assert (asked_for, question) == (methods, "losses")


@pytest.mark.parametrize("command", ["compare", "tune", "probe"])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--loss", "rating"],
            "--loss must be TASK=LOSS or TASK=LOSS:ARGUMENT=VALUE without spaces, such as mask=focal:gamma=1.5 or "
            "mask=path/to/file.py:Name, again for each task, got 'rating'",
        ),
        (["--loss", "rating=huber", "--loss", "rating=l1"], "--loss gives task 'rating' two losses: leave one out"),
        (["--loss", "rating=hubert"], "task 'rating' has no loss 'hubert'; did you mean 'huber'?"),
        (["--loss", "grade=huber"], "no task 'grade'; there are 'rating', 'recommended', 'department'"),
    ],
)
def test_a_wrong_loss_is_one_line(command, words, message, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        main([command, "reviews", *words])
    assert end.value.code == 2
    assert capsys.readouterr().err == f"equipoise: {message}\n"
    assert not list(tmp_path.iterdir())
