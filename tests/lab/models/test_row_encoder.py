from itertools import combinations

import pytest
import torch
from torch import nn

from equipoise.lab.data.text import join_bags
from equipoise.lab.models.encoders import RowEncoder, category_part, text_part
from equipoise.lab.models.heads import SharedEncoder

BAGS = join_bags([torch.tensor([0, 3]), torch.tensor([], dtype=torch.int64), torch.tensor([1])])


INPUTS = {"number": torch.randn(3, 2), "category": torch.tensor([[0, 1], [4, 1], [6, 2]]), "text": BAGS}
MAKERS = {
    "number": lambda: (nn.Identity(), 2),
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
    torch.testing.assert_close(encoder(INPUTS)[2:], encoder(alone))


def test_tasks_may_have_any_name():
    names = ["rating", "type", "keys", "a.b", "a%2Eb", "training", "price / kg", "task a.b", "1", ""]
    heads = {name: nn.Linear(2, place + 1) for place, name in enumerate(names)}
    outputs = SharedEncoder(nn.Identity(), heads)(torch.ones(1, 2))
    assert {name: output.shape[1] for name, output in outputs.items()} == {n: i + 1 for i, n in enumerate(names)}
