"""Heads that begin at the labels: the best constant outputs there are, and the scale of the labels."""

import dataclasses
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.lab.cases import with_architecture
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.models.architectures import ARCHITECTURES
from equipoise.lab.models.heads import SharedEncoder, scalar_head
from equipoise.lab.training import Settings, train
from equipoise.lab.training.loop import case_settings
from equipoise.lab.training.start import begin_at_labels
from equipoise.losses import CoralLoss, CornLoss

ROWS = 4000


def labels():
    """Skewed ones of every kind, some of them missing."""
    draw = torch.Generator().manual_seed(0)
    few = torch.rand(ROWS, generator=draw)
    missing = torch.rand(ROWS, generator=draw) < 0.2
    level = (few * few * 4).long()
    return {
        "binary": (few < 0.1).double().masked_fill(missing, torch.nan),
        "labels": torch.stack([few < 0.05, few > 0.3, few > 0.5], dim=1).double(),
        "class": (few * few * 4).long().masked_fill(missing, -100),
        "pixels": torch.stack([level, level, 3 - level], dim=1)[:, :, None],
        "cumulative": level,
        "conditional": level,
        "number": 50 + 7 * few.double().masked_fill(missing, torch.nan),
        "far": (1 / (few.double() + 0.01)).masked_fill(missing, torch.nan),
    }


LOSSES = {
    "binary": (nn.BCEWithLogitsLoss(), scalar_head(3)),
    "labels": (nn.BCEWithLogitsLoss(), nn.Linear(3, 3)),
    "class": (nn.CrossEntropyLoss(), nn.Linear(3, 5)),  # the last class never occurs
    "pixels": (
        nn.CrossEntropyLoss(),
        nn.Sequential(nn.Unflatten(1, (3, 1, 1)), nn.Upsample((3, 1)), nn.Conv2d(3, 4, 1)),
    ),
    "cumulative": (CoralLoss(), nn.Linear(3, 3)),
    "conditional": (CornLoss(), nn.Linear(3, 3)),
    "number": (nn.MSELoss(), scalar_head(3)),
    "far": (nn.L1Loss(), scalar_head(3)),
}


def begun(name):
    """The task's loss as a function of its constant output, and where it begins."""
    targets = labels()
    loss, head = LOSSES[name]
    task = eq.Task(name, loss)
    network = SharedEncoder(nn.Identity(), {name: head}).double()
    data = Arrays(torch.zeros(ROWS, 3, dtype=torch.float64), {name: targets[name]})
    case = SimpleNamespace(splits={"train": data}, collate=join, losses={})
    begin_at_labels(network, eq.Tasks([task]), case)
    tasks = eq.Tasks([task])

    def value():
        return tasks.losses(network(data.inputs), data.targets)[name].item()

    bias = [layer for layer in head.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1].bias
    return value, bias.detach()


@pytest.mark.parametrize("name", LOSSES)
def test_no_other_constant_near_by_is_better(name):
    value, bias = begun(name)
    least = value()
    for place in range(len(bias)):
        for step in (-0.2, 0.2):
            bias[place] += step
            assert value() > least - 1e-4  # no class is said never to occur, which costs this much
            bias[place] -= step


def test_weights_of_numbers_take_the_scale_of_the_labels_and_no_others_do():
    for name, (_, head) in LOSSES.items():
        layer = [layer for layer in head.modules() if isinstance(layer, nn.Linear | nn.Conv2d)][-1]
        before = layer.weight.detach().double().clone()
        begun(name)
        values = labels()[name]
        scale = values[~values.isnan()].std() if name in ("number", "far") else 1.0
        torch.testing.assert_close(layer.weight.detach(), before * scale)


def test_a_loss_of_ones_own_begins_where_the_one_does_whose_outputs_it_takes():
    head, targets = scalar_head(3), {"a": torch.tensor([0.0, 0, 0, 1])}
    known = {"a": {"bce": nn.BCEWithLogitsLoss, "own": nn.SoftMarginLoss}}
    case = SimpleNamespace(splits={"train": Arrays(torch.zeros(4, 3), targets)}, collate=join, losses=known)
    begin_at_labels(SharedEncoder(nn.Identity(), {"a": head}), eq.Tasks([eq.Task("a", nn.SoftMarginLoss())]), case)
    assert head[0].bias.exp().item() == pytest.approx(2 / 4)  # with one more of either kind


def test_a_case_says_where_heads_begin(small_case):
    case = dataclasses.replace(small_case, start="labels")
    assert case_settings(case).start == case_settings(small_case, start="labels").start == "labels"
    assert case_settings(case, start="drawn").start == case_settings(small_case).start == "drawn"


@pytest.mark.parametrize("architecture", [None, *ARCHITECTURES])
def test_a_run_begins_there(small_case, tmp_path, architecture):
    """With a learning rate of nothing, the losses are those of constants, whatever the network."""
    case = small_case if architecture is None else with_architecture(small_case, architecture)
    losses = {}
    for start in ("drawn", "labels"):
        settings = Settings(1, 64, 1e-12, 0.0, None, 1, start=start)
        history = train(case, case.tasks.names, eq.Sum(), 0, settings, tmp_path / start).history
        losses[start] = {task: v for _, split, task, what, v in history if (split, what) == ("validation", "loss")}
    targets = case.collate([case.data["train"][i] for i in range(320)])[1]
    known = targets["department"][targets["department"] != -100]
    shares = torch.bincount(known, minlength=6).double() / len(known)
    entropy = -(shares * shares.clamp(min=1e-9).log()).sum().item()
    assert losses["labels"]["department"] == pytest.approx(entropy, rel=0.1)
    assert losses["labels"]["department"] < losses["drawn"]["department"]
    assert losses["labels"]["recommended"] < losses["drawn"]["recommended"]


def refused(network, task, targets):
    data = Arrays(torch.zeros(4, 3), targets)
    case = SimpleNamespace(splits={"train": data}, collate=join, losses={})
    begin_at_labels(network, eq.Tasks([task]), case)


def test_what_cannot_begin_so_is_an_error_of_one_line():
    number = {"a": torch.ones(4)}
    with pytest.raises(ValueError, match=r"start='labels' needs a network with head\(task\), got Linear"):
        refused(nn.Linear(3, 1), eq.Task("a", nn.MSELoss()), number)
    with pytest.raises(ValueError, match="task 'a' is 'unknown', its head ends in Linear"):
        refused(SharedEncoder(nn.Identity(), {"a": scalar_head(3)}), eq.Task("a", nn.CosineEmbeddingLoss()), number)
    with pytest.raises(ValueError, match="task 'a' is 'regression', its head ends in None"):
        refused(SharedEncoder(nn.Identity(), {"a": nn.Flatten(0)}), eq.Task("a", nn.MSELoss()), number)
    with pytest.raises(ValueError, match="task 'a' has 3 kinds of label and 2 outputs"):
        classes = {"a": torch.tensor([0, 1, 2, 2])}
        refused(SharedEncoder(nn.Identity(), {"a": nn.Linear(3, 2)}), eq.Task("a", nn.CrossEntropyLoss()), classes)
