"""The statistics of a look are those of plain autograd's gradients."""

import math
from statistics import fmean, stdev

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.lab.probe.look import Layer, Pair, look


@pytest.fixture
def seen(toy):
    torch.manual_seed(0)
    model = toy.make_model(toy.tasks.names)
    batches = [toy.collate([toy.splits["train"][i] for i in range(k, k + 10)]) for k in (0, 10, 20)]
    return model, batches, look(model, toy.tasks, batches)


def gradients(model, batches, task, parameters):
    """Of one task by some parameters, a row for each batch that has the task."""
    rows = []
    for x, targets in batches:
        if not targets[task].isnan().any():
            loss = nn.functional.mse_loss(model(x)[task], targets[task])
            rows.append(torch.cat([g.flatten() for g in torch.autograd.grad(loss, parameters)]))
    return torch.stack(rows).double()


def test_norms_are_root_mean_squares_over_the_batches_that_have_the_task(seen):
    model, batches, found = seen
    for task in "abc":
        rows = gradients(model, batches, task, list(model.encoder.parameters()))
        assert len(rows) == (2 if task == "c" else 3)
        assert found.norms[task] == pytest.approx(float(rows.square().sum(1).mean().sqrt()), rel=1e-5)
        own = gradients(model, batches, task, list(model.heads[task].parameters()))
        assert found.own_norms[task] == pytest.approx(float(own.square().sum(1).mean().sqrt()), rel=1e-5)


def test_cosines_of_the_whole_and_of_each_layer(seen):
    model, batches, found = seen
    parts = {"encoder.0": model.encoder[0], "encoder.2": model.encoder[2]}
    assert [layer.name for layer in found.layers] == list(parts)
    squares = {}
    for place, pairs in [("", found.pairs), *((layer.name, layer.pairs) for layer in found.layers)]:
        parameters = list((parts[place] if place else model.encoder).parameters())
        rows = {task: gradients(model, batches, task, parameters) for task in "abc"}
        squares[place] = sum(float(row.square().sum()) for row in rows.values())
        for pair in pairs:
            one, other = (rows[task] for task in pair.tasks)
            n = min(len(one), len(other))
            cosines = torch.cosine_similarity(one[:n], other[:n]).tolist()
            assert (pair.batches, pair.negative) == (n, sum(c < 0 for c in cosines))
            assert pair.mean == pytest.approx(fmean(cosines), abs=1e-5)
            assert pair.spread == pytest.approx(stdev(cosines), abs=1e-5)
    for layer in found.layers:
        assert layer.share == pytest.approx(squares[layer.name] / squares[""], rel=1e-5)


def test_the_users_weight_is_in_the_gradient_and_not_in_the_loss(seen, toy):
    model, batches, found = seen
    heavy = eq.Tasks([eq.Task(name, nn.MSELoss(), weight=3.0 if name == "a" else 1.0) for name in "abc"])
    weighted = look(model, heavy, batches)
    assert weighted.norms["a"] == pytest.approx(3 * found.norms["a"], rel=1e-5)
    assert weighted.losses == found.losses


def test_a_look_changes_nothing(seen, toy):
    model, batches, _ = seen
    before = {name: value.clone() for name, value in model.state_dict().items()}
    look(model, toy.tasks, batches)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("mean", "spread", "batches", "opposed"),
    [
        (-0.21, 0.2, 4, True),  # the standard error is 0.1
        (-0.19, 0.2, 4, False),
        (0.5, 0.2, 4, False),
        (-0.9, math.nan, 1, False),
        (math.nan, math.nan, 0, False),
    ],
)
def test_opposed_is_more_than_two_standard_errors_below_0(mean, spread, batches, opposed):
    assert Pair(("a", "b"), mean, spread, batches, 0).opposed is opposed


def test_a_layer_counts_pairs_and_batches_below_0():
    pairs = (Pair(("a", "b"), 0.1, 0.1, 4, 1), Pair(("a", "c"), -0.1, 0.1, 4, 2))
    layer = Layer("x", 1.0, pairs)
    assert layer.negative == 3 / 8
    assert layer.lowest is pairs[1]


def test_nothing_to_look_at(toy):
    model = toy.make_model(toy.tasks.names)
    with pytest.raises(ValueError, match="no batch has a label"):
        look(model, toy.tasks, [])

    class Apart(nn.Module):
        def __init__(self):
            super().__init__()
            self.nets = nn.ModuleList(nn.Linear(4, 1) for _ in "abc")

        def forward(self, x):
            return {name: net(x).squeeze(1) for name, net in zip("abc", self.nets, strict=True)}

    batch = toy.collate([toy.splits["train"][i] for i in range(10)])
    with pytest.raises(ValueError, match="no parameter is reached by two tasks"):
        look(Apart(), toy.tasks, [batch])
