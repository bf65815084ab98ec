"""Bags of tokens by factors: the gramian is that of rows."""

import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.testing import assert_close

import equipoise as eq
from equipoise.gradients.layers import embedding_bag

pytestmark = pytest.mark.needs("seen_hooks")


@pytest.mark.parametrize("num_bags", [4, 300])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
@pytest.mark.parametrize(
    ("mode", "padding", "is_weighted"), [("mean", None, False), ("mean", 1, False), ("sum", 1, True)]
)
@pytest.mark.parametrize("num_tokens", [5, 3000])  # all occur again, few do
def test_bags_of_any_length_have_the_gramian_of_their_rows(num_bags, dtype, mode, padding, is_weighted, num_tokens):
    torch.manual_seed(0)
    table, head = nn.Parameter(torch.randn(num_tokens, 7)), nn.Linear(7, 2)
    lengths = torch.randint(0, 5, (num_bags,))  # some bags are empty
    lengths[0] = 3
    tokens = torch.randint(num_tokens, (int(lengths.sum()),), dtype=dtype)
    starts = (lengths.cumsum(0) - lengths).to(dtype)
    weights = torch.randn(len(tokens)) if is_weighted else None
    found = {}
    for route in ("factored", "rows"):
        balancer = eq.Balancer(eq.MGDA(), [table, *head.parameters()], tasks=["a", "b"], route=route)
        z = functional.embedding_bag(tokens, table, starts, mode=mode, padding_idx=padding, per_sample_weights=weights)
        a, b = head(torch.tanh(z)).unbind(1)
        table.grad = None
        balancer({"a": a.square().mean(), "b": (b - 1).abs().mean()}).backward()
        assert balancer.record.route.startswith(route)
        found[route] = balancer.record.gramian, table.grad
    gramian, gradient = found["factored"]
    assert_close(gramian, found["rows"][0], rtol=3e-6, atol=0)
    assert_close(gradient, found["rows"][1], rtol=1e-4, atol=1e-7)


def test_sizes_with_a_number_too_many_are_those_of_the_bags(monkeypatch):
    """With the last offset included PyTorch's kernels for GPUs leave room for one more bag than there is."""
    torch.manual_seed(0)
    table, head = nn.Parameter(torch.randn(9, 7)), nn.Linear(7, 2)

    def step():
        z = functional.embedding_bag(
            torch.tensor([1, 1, 4, 8, 8]), table, torch.tensor([0, 3, 3, 5]), mode="mean", include_last_offset=True
        )
        a, b = head(torch.tanh(z)).unbind(1)
        balancer = eq.Balancer(eq.MGDA(), [table, *head.parameters()], tasks=["a", "b"], route="factored")
        balancer({"a": a.square().mean(), "b": (b - 1).abs().mean()}).backward()
        return balancer.record.gramian

    expected, saved = step(), embedding_bag.saved

    def padded(node, name):
        found = saved(node, name)
        return torch.cat([found, found.new_tensor([-7])]) if name == "result2" else found

    monkeypatch.setattr(embedding_bag, "saved", padded)
    assert_close(step(), expected)
