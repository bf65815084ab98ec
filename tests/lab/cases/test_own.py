"""One's own network and data set, as they are written for any training loop."""

import pytest
import torch
import torchmetrics
from torch import nn
from torch.utils.data import DataLoader, Dataset

import equipoise as eq
from equipoise import lab
from equipoise.lab.cases import Case, check_case

TASKS = eq.Tasks([eq.Task("age", nn.MSELoss()), eq.Task("smile", nn.CrossEntropyLoss())])


class Faces(Dataset):
    def __len__(self):
        return 90

    def __getitem__(self, place):
        face = torch.full((4,), float(place))
        return {"image": face, "age": place / 90, "smile": place % 2}


class Net(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, width), nn.ReLU())
        self.age, self.smile = nn.Linear(width, 1), nn.Linear(width, 2)

    def forward(self, image):
        features = self.trunk(image)
        return {"age": self.age(features).squeeze(1), "smile": self.smile(features)}


class Heads(nn.Module):
    def __init__(self, names):
        super().__init__()
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1 if name == "age" else 2) for name in names})

    def forward(self, image):
        return {name: head(image).squeeze(1) for name, head in self.heads.items()}


def case(model=Net, data=None):
    made = Case("faces", TASKS, data or Faces(), model)
    check_case(made)
    return made


def test_samples_may_be_dictionaries_and_numbers_are_of_the_networks_dtype():
    inputs, targets = case().collate([Faces()[3], Faces()[4]])
    assert torch.equal(inputs, torch.tensor([[3.0] * 4, [4.0] * 4]))
    assert {name: one.dtype for name, one in targets.items()} == {"age": torch.float32, "smile": torch.int64}


def test_several_inputs_of_a_dictionary_come_by_name():
    class Named(Net):
        def forward(self, inputs):
            return super().forward(inputs["image"] + inputs["sound"])

    samples = [{**Faces()[place], "sound": torch.ones(4)} for place in range(90)]
    assert list(case(Named, samples).collate(samples)[0]) == ["image", "sound"]


@pytest.mark.parametrize("model", [Net, lambda: Net(4), lambda width=4: Net(width), lambda names: Net(), Heads])
def test_a_network_may_have_all_heads_or_those_asked_for(model):
    network = case(model).model(("smile",))
    assert set(network(torch.zeros(2, 4))) == ({"smile"} if model is Heads else {"age", "smile"})


PAIRS = [(torch.ones(4), {"age": 1.0}), (torch.ones(4), {"age": 0.0})]


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        (Net(), None, "model must be a class or a function .* got Net: write model=Net, or"),
        (
            lambda names: nn.Linear(4, 2),
            None,
            "model must give outputs by task name, got Tensor: return {'age': ..., ...}",
        ),
        (lambda names: Heads(["age"]), None, r"model\(\['age', 'smile'\]\) must give outputs .* got \['age'\]"),
        (Net, DataLoader(Faces()), "data must be a data set, got a DataLoader: give loader.dataset"),
        (
            Net,
            [(torch.ones(4), 1.0, 0)] * 90,
            r"a sample must be \(inputs, {'age': label, ...}\) .* got tuple of 3: give",
        ),
        (Net, [torch.ones(4)] * 90, "a sample must be .* got Tensor: give collate="),
        (
            Net,
            [{**Faces()[0], "age": None}] * 90,
            "target 'age' of sample 0 of a batch is None: a missing label is float",
        ),
        (Net, [(torch.ones(4), {"age": 0.0, "smile": None})] * 90, "target 'smile' of sample 0 of a batch is None"),
        (Net, [{"image": torch.ones(4), "age": 1.0}] * 90, "a sample has no target 'smile'; there are 'image', 'age'"),
    ],
)
def test_what_is_neither_says_what_to_write(model, data, message):
    with pytest.raises(ValueError, match=message):
        case(model, data)


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (torchmetrics.MeanSquaredError, "must be a name, .* got the class MeanSquaredError: write MeanSquaredError()"),
        (
            nn.functional.l1_loss,
            "a metric of task 'age' must be a name, a torchmetrics metric or a Metric, got <function",
        ),
        ("acc", "task 'age': no metric 'acc'; did you mean 'accuracy'"),
        ("f1-macro", "'f1-macro' is for one of several classes .* or several labels .*; for labels 0 or 1: 'f1'"),
    ],
)
def test_what_is_no_metric_says_what_is(metric, message):
    with pytest.raises(ValueError, match=message):
        Case("faces", TASKS, Faces(), Net, {"age": [metric]}, 16)


def test_of_a_loss_of_ones_own_a_metric_has_to_be_named():
    tasks = eq.Tasks([eq.Task("age", lambda output, target: (output - target).abs().mean()), TASKS["smile"]])
    with pytest.raises(ValueError, match=r"no metric follows .*: name some, such as metrics={'age': \['accuracy'\]}"):
        Case("faces", tasks, Faces(), Net, {}, 16)
    assert [metric.name for metric in Case("faces", tasks, Faces(), Net, {"age": ["mae"]}, 16).metrics["age"]] == [
        "mae"
    ]


def test_a_network_that_does_not_take_the_samples_keys_is_told_what_it_was_given():
    with pytest.raises(TypeError) as caught:
        case(Net, [{**Faces()[place], "file": f"{place}.png"} for place in range(90)])
    (note,) = caught.value.__notes__
    assert "'image', 'file'" in note


def test_a_network_is_no_case():
    with pytest.raises(ValueError, match=r"got Net: put it in an equipoise\.lab\.cases\.Case"):
        lab.compare(Net(), methods=["sum"])
