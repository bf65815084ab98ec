import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.models.encoders import MLP, TableEncoder


def test_mlp_is_its_formula():
    torch.manual_seed(0)
    net = MLP(5, [7, 3], dropout=0.4).eval()
    inputs = torch.randint(2, (6, 5), dtype=torch.uint8)
    (w1, b1), (w2, b2) = ((layer.weight, layer.bias) for layer in net.layers if hasattr(layer, "weight"))
    assert_close(net(inputs), ((inputs.float() @ w1.T + b1).relu() @ w2.T + b2).relu())
    assert (net.train()(inputs) == 0).sum() > (net.eval()(inputs) == 0).sum()


def test_a_category_is_its_own_vector_and_an_unseen_one_is_none():
    torch.manual_seed(0)
    encoder = TableEncoder([3, 2, 4], numbers=1, width=2, widths=[5], dropout=0.0)
    inputs = torch.tensor([[2, 1, 3], [0, 0, 0]]), torch.tensor([[0.5], [0.25]])
    vectors = encoder.embedding.weight
    expected = torch.stack(
        [
            torch.cat([vectors[2], vectors[3 + 1], vectors[3 + 2 + 3], torch.tensor([0.5])]),
            torch.cat([torch.zeros(6), torch.tensor([0.25])]),
        ]
    )
    assert_close(encoder(inputs), encoder.mlp(expected))


@pytest.mark.parametrize("column", range(3))
def test_no_two_categories_share_a_vector(column):
    torch.manual_seed(0)
    encoder = TableEncoder([3, 2, 4], numbers=0, width=2, widths=[5], dropout=0.0)
    sizes = [3, 2, 4]
    base = torch.ones(sizes[column], 3, dtype=torch.int64)
    base[:, column] = torch.arange(sizes[column])
    outputs = encoder((base, torch.zeros(len(base), 0)))
    assert len(outputs.unique(dim=0)) == sizes[column]
    encoder((torch.full((1, 3), 1), torch.zeros(1, 0))).sum().backward()
    assert encoder.embedding.weight.grad[0].abs().sum() == 0
