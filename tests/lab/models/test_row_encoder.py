import pytest
import torch
from torch import nn

from equipoise.lab.data.text import join_bags
from equipoise.lab.models.encoders import RowEncoder
from equipoise.lab.models.heads import SharedEncoder

BAGS = join_bags([torch.tensor([0, 3]), torch.tensor([], dtype=torch.int64), torch.tensor([1])])


@pytest.mark.parametrize("numbers", [0, 2])
@pytest.mark.parametrize("categories", [0, 3])
@pytest.mark.parametrize("words", [0, 5])
def test_every_mixture_of_inputs_reaches_the_output(numbers, categories, words):
    if not numbers + categories + words:
        return
    torch.manual_seed(0)
    encoder = RowEncoder(numbers, 7 if categories else 0, categories, torch.full((words,), 0.2), hidden=6).eval()
    inputs = torch.randn(3, numbers), torch.randint(7, (3, categories)), BAGS
    output = encoder(inputs)
    assert output.shape == (3, 6)
    output.sum().backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_a_row_depends_on_its_own_inputs_only():
    encoder = RowEncoder(2, 7, 1, torch.full((5,), 0.2), hidden=6).eval()
    numbers, categories = torch.randn(3, 2), torch.tensor([[0], [4], [6]])
    alone = encoder((numbers[2:], categories[2:], join_bags([torch.tensor([1])])))
    torch.testing.assert_close(encoder((numbers, categories, BAGS))[2:], alone)


def test_tasks_may_have_any_name():
    names = ["rating", "type", "keys", "a.b", "a%2Eb", "training", "price / kg", "task a.b", "1", ""]
    heads = {name: nn.Linear(2, place + 1) for place, name in enumerate(names)}
    outputs = SharedEncoder(nn.Identity(), heads)(torch.ones(1, 2))
    assert {name: output.shape[1] for name, output in outputs.items()} == {n: i + 1 for i, n in enumerate(names)}
