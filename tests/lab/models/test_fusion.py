"""A fusion head is separate towers where it reads its own task alone, and its equation where it reads several."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from equipoise.lab.models.architectures import Fusion
from equipoise.lab.models.mlp import MLP

NAMES = ("a", "b.c", "items")
X = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))


def fused(**options):
    torch.manual_seed(1)
    return Fusion(MLP(6, [7, 4], dropout=0.0), {name: nn.Linear(4, 2) for name in NAMES}, 4, **options)


def towers(network):
    return [tower(network.encoder(X)) for tower in network.features]


@pytest.mark.parametrize("options", [{"own": 1.0}, {"reads": {name: [name] for name in NAMES}}])
def test_what_reads_its_own_task_alone_is_a_tower_for_each(options):
    network = fused(**options)
    outputs = network(X)
    assert tuple(outputs) == NAMES
    for name, tower in zip(NAMES, towers(network), strict=True):
        assert_close(outputs[name], network.head(name)(tower))


def test_it_begins_with_its_own_features_and_equal_parts_of_the_others():
    network = fused(own=0.8)
    a, b, items = towers(network)
    assert_close(network(X)["a"], network.head("a")(0.8 * a + 0.1 * b + 0.1 * items))
    network = fused(reads={"a": ["b.c", "items"]})
    _, b, items = towers(network)
    assert_close(network(X)["a"], network.head("a")((b + items) / 2))


def test_it_is_its_equation():
    network = fused(reads={"items": ["items", "a"]})
    for fusion in network.fusions:
        nn.init.normal_(fusion.weight)
        nn.init.normal_(fusion.bias)
    a, _, items = towers(network)
    weight, bias = network.fusions[2].weight, network.fusions[2].bias
    expected = (items @ weight[:, :4].T + a @ weight[:, 4:].T + bias).clamp(min=0)
    assert_close(network(X)["items"], network.head("items")(expected))


def test_a_loss_reaches_the_features_that_its_head_reads():
    network = fused(reads={"a": ["a"], "b.c": ["b.c"], "items": ["items", "a"]})
    reached = []
    for name in NAMES:
        network.zero_grad()
        network(X)[name].sum().backward()
        reached.append([any(p.grad is not None for p in tower.parameters()) for tower in network.features])
    assert reached == [[True, False, False], [False, True, False], [True, False, True]]


@pytest.mark.parametrize(
    ("reads", "message"),
    [
        ({"a": []}, "reads of task 'a' must name a task at least, got none"),
        ({"a": ["item"]}, "reads of task 'a': no task 'item'; did you mean 'items'?"),
    ],
)
def test_reads_of_no_task_are_refused(reads, message):
    with pytest.raises(ValueError, match=message):
        fused(reads=reads)
