"""A case in a file of the user's."""

import re

import pytest

from equipoise.lab.arms import SINGLE_TASK
from equipoise.lab.studies import Study, find_recipe, make_plan
from equipoise.lab.studies.plan import Run

CASE = """
import torch
from torch import nn
from torch.utils.data import TensorDataset
import equipoise as eq
from equipoise.lab.cases import Case, make_metrics

def collate(samples):
    x, a, b = map(torch.stack, zip(*samples))
    return x, {"a": a, "b": b}

class Net(nn.Module):
    def __init__(self, names):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(3, 8), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(8, 1) for name in ("a", "b")})
        self.names = names

    def forward(self, x):
        return {name: self.heads[name](self.trunk(x)).squeeze(1) for name in self.names}

def make_case(name="mine"):
    x = torch.randn(90, 3, generator=torch.Generator().manual_seed(0))
    data = TensorDataset(x, x.sum(1), (x[:, 0] > 0).float())
    parts = {"train": range(60), "validation": range(60, 75), "test": range(75, 90)}
    splits = {split: torch.utils.data.Subset(data, rows) for split, rows in parts.items()}
    tasks = eq.Tasks([eq.Task("a", nn.MSELoss()), eq.Task("b", nn.BCEWithLogitsLoss())])
    targets = [collate([split[i] for i in range(len(split))])[1] for split in splits.values()]
    return Case(
        name=name, title="Mine", tasks=tasks, data=splits, collate=collate, model=Net,
        metrics=make_metrics(tasks, targets[0], targets[1]), batch_size=16, learning_rate=1e-2, weight_decay=0.0,
        epochs=2, data_hash="0",
    )

MADE = make_case()
"""


def second_loss(make):
    """The change after which the case knows another loss for its task a."""
    return 'data_hash="0"', f'data_hash="0", losses={{"a": {{"mse": nn.MSELoss, "other": {make}}}}}'


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "my_case.py"
    path.write_text(CASE)
    return path


@pytest.mark.parametrize("attribute", ["make_case", "MADE"])
def test_a_case_or_what_makes_one(file, attribute):
    assert find_recipe(f"{file}:{attribute}")().name == "mine"


def test_a_change_of_the_file_is_another_experiment(file, tmp_path):
    folder = tmp_path / "study"
    name = f"{file}:make_case"
    Study(make_plan(name, ["sum"], [0]), folder).write()
    Study(make_plan(name, ["sum"], [0, 1]), folder)
    file.write_text(CASE.replace("1e-2", "0.01"))
    with pytest.raises(ValueError, match=r"options\.sha256 is"):
        Study(make_plan(name, ["sum"], [0]), folder)


@pytest.mark.slow
def test_it_trains_in_workers(file, tmp_path):
    study = Study(make_plan(f"{file}:make_case", ["sum"], [0]), tmp_path / "study")
    list(study.run(jobs=1))
    assert not study.failures
    assert not study.missing


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("    return Case(", "    return dict("), "it must be an equipoise.lab.cases.Case or a function"),
        (('"test": range', '"tests": range'), "data has no 'test'; did you mean 'tests'?"),
        (("range(75, 90)", "range(0)"), "ValueError: not enough values to unpack (expected 3, got 0) (line 9)"),
        (
            ("tasks, targets[0], targets[1])", "tasks, targets[0], targets[1]) and {'a': ()}"),
            "metrics has none for task 'a'",
        ),
        (("for name in self.names}", "for name in self.names[:1]}"), "must give outputs ['a', 'b'], got ['a']"),
        (
            ("for name in self.names}", "for name in self.names}.values()"),
            "outputs by task name, got dict_values: return",
        ),
        (("import torch", "import trch"), "ModuleNotFoundError: No module named 'trch'"),
        (("def make_case", "def make_cas"), "my_case.py: NameError"),
        (("def make_case(", "def make_case(", "MADE = make_case()", "MADE = 3"), None),
        (("nn.Linear(3, 8)", "nn.Linear(4, 8)"), "mat1 and mat2 shapes cannot be multiplied"),
        (second_loss("nn.CosineEmbeddingLoss"), "in the loss of task 'a', from losses['a']['other']"),
        (second_loss("lambda: nn.MSELoss(reduction='none')"), "give it reduction='mean', from losses['a']['other']"),
        (second_loss("lambda: nn.HuberLos()"), "no attribute 'HuberLos' (line 32), from losses['a']['other']"),
    ],
)
def test_what_is_no_case_says_why_in_one_line(file, change, expected):
    text = CASE
    for old, new in zip(change[::2], change[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    file.write_text(text)
    if expected is None:
        find_recipe(f"{file}:make_case")()
        return
    with pytest.raises(ValueError, match=r"my_case\.py(:make_case)?: ") as raised:
        find_recipe(f"{file}:make_case")()
    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("nowhere.py:make_case", "there is no file 'nowhere.py'"),
        ("my_case.py", "needs the name of what makes the case, such as my_case.py:make_case"),
        ("reviws", "unknown case 'reviws'; did you mean 'reviews'?"),
        ("scenes", "give examples/cases/scenes.py:make_case of the repository; a study that was made by"),
        ("data.ods", "'data.ods' must end in one of .csv"),
    ],
)
def test_unknown_cases(name, expected):
    with pytest.raises(ValueError, match=re.escape(expected)):
        find_recipe(name)()


def test_an_unknown_name_in_the_file_names_the_nearest(file):
    with pytest.raises(ValueError, match="has no 'makecase'; did you mean 'make_case'"):
        find_recipe(f"{file}:makecase")()


def test_a_task_may_have_a_name_that_no_file_can_have():
    alike = [Run(SINGLE_TASK, (name,), 0).folder_name for name in ("price/kg", "price kg", "price-kg", "../x" * 99)]
    assert len(set(alike)) == 4
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and len(name) < 120 for name in alike)
