from itertools import combinations

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.lab.settings import a_few
from equipoise.lab.training import Settings, train
from equipoise.lab.training.measurements import COSINE_IN, layer_rows, parts_of, spread_batch


class Two(nn.Module):
    """Two shared parts, dropout between, a head for each task; task "b" does not reach the second part."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.ModuleDict({"low": nn.Linear(3, 4), "high": nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))})
        self.heads = nn.ModuleDict({"a": nn.Linear(4, 1), "b": nn.Linear(4, 1), "c": nn.Linear(4, 1)})

    def forward(self, x):
        low = self.trunk["low"](x)
        high = self.trunk["high"](low)
        return {"a": self.heads["a"](high), "b": self.heads["b"](low), "c": self.heads["c"](high)}


@pytest.fixture
def parts():
    torch.manual_seed(0)
    tasks = eq.Tasks([eq.Task(name, nn.MSELoss()) for name in "abc"])
    return Two().train(), tasks, torch.randn(5, 3), {name: torch.randn(5, 1) for name in "abc"}


def test_cosines_are_those_of_the_gradients_by_each_part(parts):
    network, tasks, inputs, targets = parts
    rows = {(pair, quantity): value for pair, quantity, value in layer_rows(*parts)}
    network.eval()

    def gradient(task, part):
        network.zero_grad()
        tasks[task].loss(network(inputs)[task], targets[task]).backward()
        found = [p.grad.flatten() for p in network.trunk[part].parameters() if p.grad is not None]
        return torch.cat(found) if found else None

    expected = {}
    for part, pairs in (("low", ("ab", "ac", "bc")), ("high", ("ac",))):
        for a, b in pairs:
            cosine = torch.cosine_similarity(gradient(a, part), gradient(b, part), dim=0).item()
            expected[f"{a}|{b}", f"{COSINE_IN}trunk.{part}"] = pytest.approx(cosine, abs=1e-5)
    assert rows == expected


def test_looking_draws_nothing_and_leaves_the_network_as_it_was(parts):
    network = parts[0]
    before, state = {k: v.clone() for k, v in network.state_dict().items()}, torch.get_rng_state()
    assert layer_rows(*parts) == layer_rows(*parts)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    assert network.training


def test_of_many_tasks_a_few_are_looked_at():
    class Many(nn.Module):
        def __init__(self):
            super().__init__()
            self.trunk = nn.Linear(3, 4)
            self.heads = nn.ModuleList(nn.Linear(4, 1) for _ in range(25))

        def forward(self, x):
            return {f"t{k}": head(self.trunk(x)) for k, head in enumerate(self.heads)}

    names = [f"t{k}" for k in range(25)]
    tasks = eq.Tasks([eq.Task(name, nn.MSELoss()) for name in names])
    rows = layer_rows(Many(), tasks, torch.randn(5, 3), {name: torch.randn(5, 1) for name in names})
    assert [pair for pair, _, _ in rows] == ["|".join(pair) for pair in combinations(a_few(names), 2)]


def test_a_task_without_a_label_is_left_out(parts):
    network, tasks, inputs, targets = parts
    rows = layer_rows(network, tasks, inputs, targets | {"a": torch.full((5, 1), torch.nan)})
    assert {pair for pair, _, _ in rows} == {"b|c"}


def test_parts_lie_just_below_what_all_have_in_common():
    assert list(parts_of(["e.0.w", "e.0.b", "e.1.conv.w"])) == ["e.0", "e.1"]
    assert list(parts_of(["e.l.w", "e.l.b"])) == ["e.l"]
    assert parts_of([]) == {}
    assert list(parts_of(["w", "layer.w"])) == ["w", "layer"]


def test_the_batch_is_spread_over_the_split():
    split = [(torch.tensor(i), torch.tensor(0)) for i in range(101)]
    inputs, _ = spread_batch(split, lambda s: (torch.stack([x for x, _ in s]), 0), 5, torch.device("cpu"))
    assert inputs.tolist() == [0, 25, 50, 75, 100]


def test_every_epoch_of_a_history_has_them_and_the_run_is_the_same_without(small_case, tmp_path, monkeypatch):
    settings = Settings(epochs=2, batch_size=64, learning_rate=5e-3, weight_decay=0.0, clip_norm=None, patience=3)

    def run(name):
        return train(small_case, small_case.tasks.names, eq.Sum(), 0, settings, tmp_path / name)

    looked = run("looked")
    monkeypatch.setattr("equipoise.lab.training.loop.layer_rows", lambda *_: [])
    assert run("not").scores == looked.scores
    found = {(epoch, pair) for epoch, split, pair, quantity, _ in looked.history if quantity.startswith(COSINE_IN)}
    pairs = ("rating|recommended", "rating|department", "recommended|department")
    assert found == {(epoch, pair) for epoch in (1, 2) for pair in pairs}
