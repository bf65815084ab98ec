"""A loss of the user's own, from a file: for the command line, study.yaml, rows of a study, tables and searches."""

import json

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from asked_plan import first_call
from equipoise.cli import main
from equipoise.lab.cases import CASES, TableCase, Target, own_loss, require_losses, reviews, with_losses
from equipoise.lab.cases.recipe import CaseWithLosses, find_recipe
from equipoise.lab.studies import Study, make_plan

OWN = """
import torch
from torch import nn

class Cubed(nn.Module):
    def __init__(self, scale=1.0):
        super().__init__()
        self.scale = scale
    def forward(self, output, target):
        return self.scale * (output - target).abs().pow(3).mean()

class Needs(nn.Module):
    def __init__(self, scale):
        super().__init__()
        if scale < 0:
            raise RuntimeError("negative")
    def forward(self, output, target):
        return (output - target).square().mean()

def quartic(output, target, factor=1.0):
    return factor * (output - target).pow(4).mean()

def fails(output, target):
    return {}["nothing"]

def constant(output, target):
    return torch.tensor(1.0)

made = nn.MSELoss()
number = 3
"""


@pytest.fixture(scope="module")
def case():
    return reviews()


@pytest.fixture(autouse=True)
def one_reading(case, monkeypatch):
    monkeypatch.setitem(CASES, "reviews", lambda: case)


@pytest.fixture
def own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    path = tmp_path / "mine" / "own.py"
    path.write_text(OWN)
    return "mine/own.py"


@pytest.mark.parametrize(
    ("what", "power", "factor"),
    [("Cubed", 3, 1), ("Cubed:scale=2.5", 3, 2.5), ("quartic", 4, 1), ("quartic:factor=0.5", 4, 0.5), ("made", 2, 1)],
)
def test_a_class_a_function_or_a_module_is_the_tasks_loss(case, own, what, power, factor):
    made = with_losses(case, {"rating": f"{own}:{what}"})
    output, target = torch.tensor([1.0, 3.0]), torch.tensor([2.0, 1.0])
    expected = factor * (output - target).abs().pow(power).mean()
    assert_close(made.tasks["rating"].loss(output, target), expected)
    assert made.chosen == {"rating": f"own.py:{what}"}
    assert made.metrics == case.metrics
    assert made.name.startswith("reviews-rating-own.py-")
    require_losses(case, [{"rating": f"{own}:{what}"}])


def test_its_arguments_are_described_and_can_be_searched(case, own):
    made = with_losses(case, {"rating": f"{own}:Cubed"})
    assert str(own_loss(made, "rating")) == "own.py:Cubed(scale=1)"
    again = with_losses(made, {"rating": "own.py:Cubed:scale=3"})  # as a search does
    assert again.tasks["rating"].loss.scale == 3


def test_a_task_without_losses_by_name_takes_one_too(own, tmp_path):
    rows = "\n".join(f"word{n},{n % 4}" for n in range(160))
    (tmp_path / "own.csv").write_text(f"text,grade\n{rows}")
    (tmp_path / "levels.py").write_text(
        "def lowest(output, target):\n    return output.square().mean() + 0 * target.sum()\n"
    )
    table = TableCase("own.csv", (Target("grade", "ordinal"),), text=("text",))
    recipe = CaseWithLosses(table, (("grade", "levels.py:lowest"),))
    assert recipe().tasks["grade"].loss.__name__ == "lowest"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("mine/nowhere.py:Cubed", r"rating=mine/nowhere.py:Cubed: there is no file 'mine/nowhere.py' \(looked in "),
        ("mine/own.py:Cubd", "mine/own.py has no 'Cubd'; did you mean 'Cubed'?"),
        ("mine/own.py:number", "mine/own.py:number: a loss is a class or a function, got int"),
        ("mine/own.py:Cubed:gamma=2", "loss 'own.py:Cubed' of 'rating' has no argument 'gamma'; there are 'scale'"),
        ("mine/own.py:made:gamma=2", "loss 'own.py:made' of 'rating' has no argument 'gamma'; there are none"),
        ("mine/own.py:Needs", "missing 1 required positional argument: 'scale'"),
        ("mine/own.py:Needs:scale=-1", r"RuntimeError: negative \(line 16\)"),
        ("mine/own.py:fails", "rating=mine/own.py:fails: KeyError: 'nothing'"),
        ("mine/own.py:constant", "rating=mine/own.py:constant: it has no gradient by the outputs"),
        ("mine/broken.py:Loss", r"mine/broken.py: ZeroDivisionError: division by zero \(line 2\)"),
    ],
)
def test_what_is_wrong_with_it_is_one_line(case, own, tmp_path, what, message):
    (tmp_path / "mine" / "broken.py").write_text("x = 1\n1 / 0\n")
    with pytest.raises(ValueError, match=message) as error:
        require_losses(case, [{"rating": what}])
    assert "\n" not in str(error.value)


def test_a_study_keeps_the_content_of_the_file(own, tmp_path):
    recipe = CaseWithLosses(find_recipe("reviews"), (("rating", f"{own}:Cubed"),))
    Study(make_plan(recipe, ["sum"], [0]), tmp_path / "study").write()
    options = json.loads((tmp_path / "study" / "study.json").read_text())["options"]
    assert options["losses"] == {"rating": "own.py:Cubed"}
    assert len(options["loss_files"]["own.py"]) == 64
    Study(make_plan(recipe, ["sum"], [0, 1]), tmp_path / "study")
    (tmp_path / own).write_text(OWN + "\n# another\n")
    with pytest.raises(ValueError, match=r"options\.loss_files\.own\.py is "):
        Study(make_plan(recipe, ["sum"], [0]), tmp_path / "study")


def test_a_row_of_a_study_keeps_it_too(own, tmp_path):
    row = f"rating={own}:quartic:factor=2"
    plan = make_plan("reviews", ["sum", row], [0])
    assert plan.losses == {row: {"rating": "own.py:quartic(factor=2)"}}
    Study(plan, tmp_path / "study").write()
    assert list(json.loads((tmp_path / "study" / "study.json").read_text())["method_files"]) == [row]
    (tmp_path / own).write_text(OWN + "\n# another\n")
    with pytest.raises(ValueError, match=r"method_files\.rating=mine/own\.py"):
        Study(plan, tmp_path / "study")


def test_the_command_line_and_a_study_file_take_it(own, monkeypatch, tmp_path):
    (tmp_path / "study.yaml").write_text(f"case: reviews\nloss:\n  rating: {own}:Cubed:scale=2\nl1: 1e-4\nl2: 0.001\n")
    for words in (
        ["compare", "reviews", "--loss", f"rating={own}:Cubed:scale=2", "--l1", "1e-4", "--l2", "0.001"],
        ["compare", "--config", "study.yaml"],
    ):
        (recipe, *_), options = first_call(monkeypatch, words)
        assert recipe().tasks["rating"].loss.scale == 2
        assert (options["l1"], options["l2"]) == (1e-4, 1e-3)


@pytest.mark.parametrize("command", ["compare", "tune", "probe"])
def test_a_wrong_file_is_one_line(command, own, capsys):
    with pytest.raises(SystemExit) as end:
        main([command, "reviews", "--loss", "rating=mine/own.py:Cubd"])
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "equipoise: rating=mine/own.py:Cubd: mine/own.py has no 'Cubd'; did you mean 'Cubed'?\n"
    )


@pytest.mark.parametrize(
    ("word", "expected"), [("mae", nn.L1Loss), ("MSELoss", nn.MSELoss), ("smooth_l1", None), ("L1", nn.L1Loss)]
)
def test_a_loss_is_chosen_by_any_of_its_names(case, word, expected):
    if expected is None:
        with pytest.raises(ValueError, match="task 'rating' has no loss 'smooth_l1'"):
            with_losses(case, {"rating": word})
        return
    made = with_losses(case, {"rating": word})
    assert isinstance(made.tasks["rating"].loss, expected)
    assert made.chosen == {"rating": {nn.L1Loss: "l1", nn.MSELoss: "mse"}[expected]}


def test_other_names_of_losses_of_classes(case):
    made = with_losses(case, {"department": "FocalLoss:gamma=1", "recommended": "binary_focal"})
    assert made.chosen == {"recommended": "focal", "department": "focal:gamma=1"}


def test_a_task_with_a_slash_in_its_name_takes_one_by_the_option(own, tmp_path, monkeypatch):
    rows = "\n".join(f"word{n},{n}" for n in range(160))
    (tmp_path / "own.csv").write_text(f"text,km/h\n{rows}")
    words = ["own.csv", "--target", "km/h:regression", "--text", "text", "--loss", f"km/h={own}:Cubed:scale=2"]
    (recipe, *_), _ = first_call(monkeypatch, ["compare", *words])
    assert recipe().tasks["km/h"].loss.scale == 2
