"""Architectures in the limits where they are something simpler, and on encoders of anyone."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise.lab.models.architectures import ARCHITECTURES, MTAN, PLE, CrossStitch, MMoE, build_architecture
from equipoise.lab.models.encoders import (
    MLP,
    BagOfEmbeddings,
    RowEncoder,
    TableEncoder,
    category_part,
    stages_of,
    text_part,
    widths_of,
)
from equipoise.lab.models.heads import FusionHead, SharedEncoder, scalar_head

NAMES = ("a", "b.c", "items")
X = torch.randn(5, 6, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(1)


def encoder():
    return MLP(6, [7, 4], dropout=0.0)


def heads(width=4):
    return {name: nn.Linear(width, 2) for name in NAMES}


def check_same(one, other):
    assert tuple(one) == tuple(other) == NAMES
    for name in NAMES:
        assert_close(one[name], other[name])


TEXT = (torch.tensor([0, 3, 3, 1, 2]), torch.tensor([0, 2, 4]))
ENCODERS = {
    "mlp": (encoder(), X, (7, 4)),
    "table": (TableEncoder([3, 4], 2, 5, [8, 6], 0.0), (torch.tensor([[1, 0], [2, 3]]), torch.randn(2, 2)), (8, 6)),
    "text": (BagOfEmbeddings(torch.full((4,), 0.2), width=5, hidden=3, dropout=0.0, ngram_dropout=0.0), TEXT, (5, 8)),
    "row": (
        RowEncoder(
            {
                "number": (nn.Identity(), 2),
                "category": category_part(7, 2, dropout=0.0),
                "text": text_part(torch.full((4,), 0.2), ngram_dropout=0.0),
            },
            wide=["text"],
            hidden=6,
            dropout=0.0,
        ),
        {"number": torch.randn(3, 2), "category": torch.tensor([[0, 3], [1, 5], [2, 6]]), "text": TEXT},
        (54, 54),
    ),
    "any": (nn.Sequential(nn.Linear(6, 9), nn.Tanh()), X, (9,)),
}


@pytest.mark.parametrize(("encoder", "inputs", "widths"), ENCODERS.values(), ids=ENCODERS)
def test_stages_one_after_another_are_the_encoder(encoder, inputs, widths):
    features = inputs
    for stage in stages_of(encoder):
        features = stage(features)
    assert_close(features, encoder(inputs))
    assert widths_of(encoder, inputs) == widths
    assert encoder.training


def test_cross_stitch_that_mixes_nothing_is_separate_networks():
    encoders, h = {name: encoder() for name in NAMES}, heads()
    check_same(CrossStitch(encoders, h, (7, 4), own=1.0)(X), {name: h[name](encoders[name](X)) for name in NAMES})


def test_cross_stitch_is_its_equation_in_each_channel():
    encoders, h = {name: nn.Linear(6, 4) for name in NAMES}, heads()
    network = CrossStitch(encoders, h, (4,))
    assert_close(network.alphas[0], torch.full((4, 3, 3), 0.05) + 0.85 * torch.eye(3))
    with torch.no_grad():
        network.alphas[0].normal_()
    x = [encoders[name](X) for name in NAMES]
    mixed = {
        name: sum(network.alphas[0][:, place, other] * x[other] for other in range(3))
        for place, name in enumerate(NAMES)
    }
    check_same(network(X), {name: h[name](mixed[name]) for name in NAMES})


def test_mmoe_of_one_expert_is_hard_sharing_with_one_layer_more():
    network = MMoE(encoder(), heads(), 4, experts=1)
    whole = nn.Sequential(network.encoder, network.experts[0])
    check_same(network(X), SharedEncoder(whole, {name: network.head(name) for name in NAMES})(X))


def test_gates_sum_to_1_and_a_decided_gate_takes_its_expert():
    network = MMoE(encoder(), heads(), 4, experts=3)
    x = network.encoder(X)
    weights = network.gates[1].weights(x)
    assert weights.shape == (5, 3)
    assert_close(weights.sum(dim=1), torch.ones(5))
    features = [torch.full((5, 2), float(number)) for number in range(3)]
    assert_close(network.gates[1](x, features)[:, 0], weights @ torch.tensor([0.0, 1.0, 2.0]))
    with torch.no_grad():
        network.gates[1].scores.weight.zero_()
    assert_close(network.gates[1](x, features), torch.ones(5, 2))


def test_ple_without_experts_of_tasks_is_mmoe_and_without_shared_ones_separate():
    network = PLE(encoder(), heads(), 4, layers=1, shared=3, own=0)
    mmoe = MMoE(network.encoder, {name: network.head(name) for name in NAMES}, 4, experts=3)
    mmoe.experts, mmoe.gates = network.layers[0].shared, network.layers[0].gates
    check_same(network(X), mmoe(X))
    alone = PLE(encoder(), heads(), 4, layers=2, shared=0, own=1)
    x = alone.encoder(X)
    for place, name in enumerate(NAMES):
        first, second = (layer.own[place][0] for layer in alone.layers)
        assert_close(alone(X)[name], alone.head(name)(second(first(x))))


def test_ple_is_its_equations():
    network = PLE(encoder(), heads(), 4, layers=2, shared=2, own=2)
    first, second = network.layers
    x = network.encoder(X)

    def mix(gate, at, features):
        return (gate.weights(at)[:, :, None] * torch.stack(features, dim=1)).sum(dim=1)

    own = [[expert(x) for expert in experts] for experts in first.own]
    shared = [expert(x) for expert in first.shared]
    xs = [mix(gate, x, [*mine, *shared]) for gate, mine in zip(first.gates, own, strict=True)]
    x_s = mix(first.shared_gate, x, [*(feature for mine in own for feature in mine), *shared])
    shared = [expert(x_s) for expert in second.shared]
    for place, name in enumerate(NAMES):
        mine = [expert(xs[place]) for expert in second.own[place]]
        out = mix(second.gates[place], xs[place], [*mine, *shared])
        assert_close(network(X)[name], network.head(name)(out))


def test_mtan_with_open_masks_is_hard_sharing_and_closed_ones_let_nothing_through():
    network = MTAN(encoder(), heads(), (7, 4))
    plain = SharedEncoder(network.encoder, {name: network.head(name) for name in NAMES})
    for bias, expected in (
        (100.0, plain(X)),
        (-100.0, {name: network.head(name)(torch.zeros(5, 4)) for name in NAMES}),
    ):
        with torch.no_grad():
            for mask in (mask for masks in network.masks for mask in masks):
                mask[2].weight.zero_()
                mask[2].bias.fill_(bias)
        check_same(network(X), expected)


def test_mtan_is_its_equations():
    network = MTAN(encoder(), heads(), (7, 4))
    first, second = stages_of(network.encoder)
    p1 = first(X)
    p2 = second(p1)
    for name, masks in zip(NAMES, network.masks, strict=True):
        attended = masks[0](p1) * p1
        attended = masks[1](torch.cat([p2, network.onward[0](attended)], dim=1)) * p2
        assert_close(network(X)[name], network.head(name)(attended))


def test_a_fusion_head_reads_the_features_of_several_tasks():
    fused = {**heads(), "items": FusionHead(["items", "a"], nn.Linear(8, 2))}
    network = MMoE(encoder(), fused, 4)
    features = network.features(X)
    side_by_side = torch.cat([features["items"], features["a"]], dim=1)
    assert_close(network(X)["items"], fused["items"].head(side_by_side))
    assert_close(network(X)["a"], fused["a"](features["a"]))
    with pytest.raises(ValueError, match="the head of task 'items' reads 'item'; did you mean 'items'"):
        MMoE(encoder(), {**heads(), "items": FusionHead(["item"], nn.Linear(4, 2))}, 4)


def make():
    return SharedEncoder(encoder(), {name: scalar_head(4) for name in NAMES})


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_each_is_built_on_the_same_encoder_and_heads_and_its_shared_parameters_are_found(name):
    torch.manual_seed(7)
    network = build_architecture(name, make, X)
    torch.manual_seed(7)
    plain = make()
    first = network.encoders[0] if name == "cross-stitch" else network.encoder
    assert_close(list(first.parameters()), list(plain.encoder.parameters()), rtol=0, atol=0)
    assert_close(list(network.head("b.c").parameters()), list(plain.head("b.c").parameters()), rtol=0, atol=0)
    tasks = eq.Tasks([eq.Task(task, nn.MSELoss()) for task in NAMES])
    balancer = eq.Balancer(eq.MGDA(), network, tasks=tasks)
    balancer(tasks.losses(network(X), {task: torch.randn(5) for task in NAMES})).backward()
    assert all(parameter.grad is not None for parameter in network.parameters())
    reached = balancer.given.reached
    everyone = (1 << len(NAMES)) - 1
    for parameter, bits in reached.items():
        kind = parameter.split(".")[0]
        if kind in ("encoder", "encoders", "experts", "onward", "alphas"):
            # the last cross-stitch and the last stage of a task's own network are still mixed into all
            assert bits == everyone, parameter
        elif kind in ("heads", "masks", "gates"):
            assert bits.bit_count() == 1, parameter
    if name in ("cgc", "ple"):
        last = f"layers.{len(network.layers) - 1}"
        assert {bits for parameter, bits in reached.items() if parameter.startswith(f"{last}.shared")} == {everyone}
        assert all(
            bits.bit_count() == 1
            for parameter, bits in reached.items()
            if parameter.startswith((f"{last}.own", f"{last}.gates"))
        )


def test_cross_stitch_draws_each_encoder_anew():
    network = build_architecture("cross-stitch", make, X)
    one, other = (network.encoders[place].layers[0].weight for place in range(2))
    assert not torch.equal(one, other)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: nn.Linear(6, 3), "mmoe needs a network that is a SharedEncoder, got Linear"),
        (lambda: SharedEncoder(nn.Unflatten(1, (2, 3)), heads()), r"Unflatten gives \(5, 2, 3\), where one vector per"),
        (lambda: SharedEncoder(nn.LSTM(6, 4), heads()), "LSTM gives tuple, where one vector per sample"),
    ],
)
def test_what_gives_no_vector_per_sample_is_refused(make, line):
    with pytest.raises(ValueError, match=line):
        build_architecture("mmoe", make, X)


def test_ple_without_experts_is_refused():
    with pytest.raises(ValueError, match="must be 1 or more, got 2, 0 shared, 0 own"):
        PLE(encoder(), heads(), 4, shared=0, own=0)


class Pooled(nn.Module):
    """What a user writes around a transformer."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, tokens):
        return self.body(tokens).last_hidden_state.mean(dim=1)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_transformer_of_hugging_face_is_taken(name):
    transformers = pytest.importorskip("transformers")
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    tokens = torch.randint(20, (3, 5))

    def make():
        return SharedEncoder(Pooled(transformers.BertModel(config, add_pooling_layer=False)), heads(8))

    outputs = build_architecture(name, make, tokens)(tokens)
    assert {task: output.shape for task, output in outputs.items()} == dict.fromkeys(NAMES, (3, 2))
