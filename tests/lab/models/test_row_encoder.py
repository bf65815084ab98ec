import math
from itertools import combinations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise.lab.data.features import LARGEST
from equipoise.lab.data.text import join_bags
from equipoise.lab.models.architectures.build import ARCHITECTURES, build_architecture
from equipoise.lab.models.encoders import RowEncoder, category_part, text_part
from equipoise.lab.models.heads import MemberHead, SharedEncoder, scalar_head
from equipoise.lab.models.numbers import PeriodicEmbedding, PiecewiseLinearEncoding, number_part

BAGS = join_bags([torch.tensor([0, 3]), torch.tensor([], dtype=torch.int64), torch.tensor([1])])


INPUTS = {"number": torch.randn(3, 2), "category": torch.tensor([[0, 1], [4, 1], [6, 2]]), "text": BAGS}
MAKERS = {
    "number": lambda: number_part(2, torch.tensor([1]), [torch.tensor([-1.0, 0.0, 0.5])]),
    "category": lambda: category_part(7, 2),
    "text": lambda: text_part(torch.full((5,), 0.2)),
}


@pytest.mark.parametrize("kinds", [kinds for size in (1, 2, 3) for kinds in combinations(MAKERS, size)])
def test_every_mixture_of_inputs_reaches_the_output(kinds):
    torch.manual_seed(0)
    encoder = RowEncoder({kind: MAKERS[kind]() for kind in kinds}, hidden=6).eval()
    output = encoder({kind: INPUTS[kind] for kind in kinds})
    assert output.shape == (3, 6)
    output.sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_row_depends_on_its_own_inputs_only():
    encoder = RowEncoder({kind: make() for kind, make in MAKERS.items()}, hidden=6).eval()
    alone = {"number": INPUTS["number"][2:], "category": INPUTS["category"][2:], "text": join_bags([torch.tensor([1])])}
    assert_close(encoder(INPUTS)[2:], encoder(alone))


def test_wide_parts_stand_beside_the_layers():
    torch.manual_seed(0)
    parts = {kind: make() for kind, make in MAKERS.items()}
    encoder, plain = RowEncoder(parts, wide=["text"], hidden=6).eval(), RowEncoder(parts, hidden=6).eval()
    plain.load_state_dict(encoder.state_dict())
    output = encoder(INPUTS)
    assert_close(output, torch.cat([plain(INPUTS), encoder.parts["text"](BAGS)], dim=1))
    assert output.shape[1] == encoder.width == 6 + 48
    output[:, :6].sum().backward()
    assert not encoder.parts["text"].embedding.weight.grad.any()  # heads alone train it


def network_of_members(members=2):
    torch.manual_seed(0)
    parts = {
        "number": number_part(2, torch.tensor([1]), [torch.tensor([-1.0, 0.0, 0.5])]),
        "text": text_part(torch.full((5,), 0.2), ngram_dropout=0.0),
    }
    encoder = RowEncoder(parts, wide=["text"], hidden=6, dropout=0.0, members=members)
    return SharedEncoder(encoder, {name: MemberHead(scalar_head(encoder.width), members) for name in ("a", "b")})


def test_evaluated_is_the_mean_of_members_and_a_row_trains_one_of_them():
    network, each = network_of_members(), []
    for signs in network.encoder.signs.weight:
        alone = network_of_members(members=1)
        alone.load_state_dict(network.state_dict(), strict=False)
        with torch.no_grad():
            alone.encoder.layers[0].weight.mul_(signs)
        each.append(alone(INPUTS)["a"])
    assert not torch.allclose(*each)
    assert_close(network.eval()(INPUTS)["a"], (each[0] + each[1]) / 2)
    assert_close(network.train()(INPUTS)["a"], torch.stack([each[0][0], each[1][1], each[0][2]]))


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_has_members(name):
    network = build_architecture(name, network_of_members, INPUTS)
    for outputs in (network(INPUTS), network.eval()(INPUTS)):
        assert {task: output.shape for task, output in outputs.items()} == {"a": (3,), "b": (3,)}


def test_tasks_may_have_any_name():
    names = ["rating", "type", "keys", "a.b", "a%2Eb", "training", "price / kg", "task a.b", "1", ""]
    heads = {name: nn.Linear(2, place + 1) for place, name in enumerate(names)}
    outputs = SharedEncoder(nn.Identity(), heads)(torch.ones(1, 2))
    assert {name: output.shape[1] for name, output in outputs.items()} == {n: i + 1 for i, n in enumerate(names)}


def test_periodic_embedding_is_its_formula():
    torch.manual_seed(0)
    embedding, numbers = PeriodicEmbedding(2, width=3, frequencies=4), torch.randn(5, 2)
    weight, bias = embedding.linear.weight, embedding.linear.bias
    for column in range(2):
        v = 2 * math.pi * torch.outer(numbers[:, column], embedding.frequencies[column])
        expected = (torch.cat([v.cos(), v.sin()], dim=1) @ weight.T + bias).relu()
        assert_close(embedding(numbers)[:, 3 * column : 3 * column + 3], expected)


def soft(numbers):
    return numbers / (1 + (numbers / 3) ** 2).sqrt()


def test_piecewise_linear_encoding_is_its_formula():
    # of 0.5 in bins 0 to 1 and 1 to 3; of 2.5 in the only bin, 2 to 4
    encoding = PiecewiseLinearEncoding([torch.tensor([0.0, 1.0, 3.0]), torch.tensor([2.0, 4.0])])
    found = encoding(torch.tensor([[0.5, 2.5], [2.0, 9.0], [-LARGEST, LARGEST]]))
    assert_close(found, torch.tensor([[0.5, 0.0, 0.25], [1.0, 0.5, 1.0], [0.0, 0.0, 1.0]]))
    assert encoding.width == 3


def test_numbers_stand_beside_their_encodings():
    torch.manual_seed(0)
    edges = [torch.tensor([-1.0, 0.0, 1.0]), torch.tensor([0.0, 2.0])]
    (part, size), numbers = number_part(3, torch.tensor([2, 0]), edges, width=4), torch.randn(5, 3)
    found, of = part(numbers), numbers[:, [2, 0]]
    assert found.shape == (5, size) == (5, 3 + 2 * 4 + 3)
    assert_close(found, torch.cat([soft(numbers), part.encoded.periodic(of), part.encoded.linear(of)], dim=1))
    assert part(torch.full((1, 3), LARGEST)).isfinite().all()
    part, size = number_part(3, torch.tensor([], dtype=torch.int64), [])
    assert_close(part(numbers), soft(numbers))
    assert size == 3
    assert part(torch.full((1, 3), LARGEST)).isfinite().all()


@pytest.mark.parametrize("route", ["auto", "factored"])
def test_gradients_of_a_row_encoder_are_the_same_on_every_route(route):
    names, labels = ["a", "b", "c"], torch.randn(3, 3)

    def gradients(route):
        torch.manual_seed(0)
        parts = {kind: make() for kind, make in MAKERS.items()}
        encoder = RowEncoder(parts, wide=["text"], hidden=6, dropout=0.0, members=2).eval()
        network = SharedEncoder(encoder, {name: MemberHead(scalar_head(encoder.width), 2).eval() for name in names})
        balancer = eq.Balancer(eq.method("mgda"), network, tasks=names, route=route)
        outputs = network(INPUTS)
        balancer({name: (outputs[name] - labels[i]).square().mean() for i, name in enumerate(names)}).backward()
        return [parameter.grad for parameter in encoder.parameters()]

    assert_close(gradients(route), gradients("rows"))
