"""Parameters that come and go: frozen layers, adapters, sparse embeddings, complex numbers."""

import pytest
import torch
from plain_autograd import METHODS, NAMES, bound, data_of, error, gradients_of, losses_of, net_of, reference
from torch import nn
from torch.testing import assert_close

import equipoise as eq

every_method = pytest.mark.parametrize("name", METHODS)


class LowRank(nn.Module):
    """y = W x + B A x with W frozen (Hu et al., LoRA, 2021, eq. 3)."""

    def __init__(self, base: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.down = nn.Parameter(torch.randn(rank, base.in_features) / base.in_features)
        self.up = nn.Parameter(torch.zeros(base.out_features, rank))  # zero, as in the paper: no change at the start

    def forward(self, x):
        return self.base(x) + x @ self.down.T @ self.up.T


def trainable(net):
    return [p.grad for p in net.parameters() if p.requires_grad]


@every_method
def test_adapters_put_in_after_the_balancer_was_made(name):
    net = net_of()
    x, targets = data_of()
    method, balancer = bound(METHODS[name]), eq.Balancer(METHODS[name](), net, tasks=NAMES)
    net.requires_grad_(False)
    net.heads.requires_grad_(True)
    net.trunk[0], net.trunk[2] = LowRank(net.trunk[0]), LowRank(net.trunk[2])
    for _ in range(3):  # at first only ``up`` has a gradient other than zero
        net.zero_grad()
        expected = reference(method, losses_of(net(x), targets), net)
        balancer(losses_of(net(x), targets)).backward()
        assert error(trainable(net), expected) < 2e-6
        assert net.trunk[0].base.weight.grad is None
        with torch.no_grad():
            for parameter in net.parameters():
                if parameter.grad is not None:
                    parameter -= 0.1 * parameter.grad


@every_method
def test_a_layer_frozen_and_later_unfrozen(name):
    net = net_of()
    x, targets = data_of()
    method, balancer = bound(METHODS[name]), eq.Balancer(METHODS[name](), net, tasks=NAMES)
    for frozen in (True, False, True):
        net.trunk[0].requires_grad_(not frozen)
        net.zero_grad()
        expected = reference(method, losses_of(net(x), targets), net)
        balancer(losses_of(net(x), targets)).backward()
        assert error(trainable(net), expected) < 1e-6
        assert (net.trunk[0].weight.grad is None) == frozen


@every_method
def test_a_frozen_trunk_leaves_the_heads_to_themselves(name):
    net = net_of()
    net.trunk.requires_grad_(False)
    x, targets = data_of()
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    if name in ("sum", "uw"):
        balancer(losses_of(net(x), targets)).backward()
    else:
        with pytest.warns(UserWarning, match="nothing to balance"):
            balancer(losses_of(net(x), targets)).backward()
    factor = balancer.record.weights if name == "uw" else dict.fromkeys(NAMES, 1.0)
    for task, loss in losses_of(net(x), targets).items():
        head = list(net.heads[task].parameters())
        grads = [factor[task] * g for g in torch.autograd.grad(loss, head)]
        assert_close([p.grad for p in head], grads, rtol=1e-6, atol=1e-7)


def test_everything_frozen_is_told():
    net = net_of()
    net.requires_grad_(False)
    x, targets = data_of()
    with pytest.raises(ValueError, match="has no graph"):
        eq.Balancer(eq.MGDA(), net, tasks=NAMES)(losses_of(net(x), targets))


# Embeddings


class Words(nn.Module):
    """Tokens, an embedding, three heads."""

    def __init__(self, sparse: bool) -> None:
        super().__init__()
        torch.manual_seed(2)
        self.trunk = nn.ModuleDict({"words": nn.Embedding(40, 16, sparse=sparse), "mix": nn.Linear(16, 16)})
        self.heads = nn.ModuleDict({"a": nn.Linear(16, 1), "b": nn.Linear(16, 1), "c": nn.Linear(16, 3)})

    def forward(self, tokens):
        z = torch.tanh(self.trunk["mix"](self.trunk["words"](tokens).mean(dim=1)))
        return {name: head(z) for name, head in self.heads.items()}


TOKENS = torch.randint(40, (12, 4), generator=torch.Generator().manual_seed(5))


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.needs("seen_hooks")] * isinstance(METHODS[name](), eq.Aggregator))
        for name in METHODS
        if name != "graddrop"
    ],
)
def test_a_sparse_embedding_has_the_gradient_of_a_dense_one_and_keeps_it_sparse(name):
    _, targets = data_of()
    dense, sparse = Words(sparse=False), Words(sparse=True)
    expected = reference(bound(METHODS[name]), losses_of(dense(TOKENS), targets), dense)
    balancer = eq.Balancer(METHODS[name](), sparse, tasks=NAMES)
    balancer(losses_of(sparse(TOKENS), targets)).backward()
    gradients = [g.to_dense() for g in gradients_of(sparse)]
    assert error(gradients, expected) < 1e-6
    torch.optim.SparseAdam([sparse.trunk["words"].weight]).step()


@pytest.mark.parametrize("how", ["coordinate", "accumulate"])
def test_a_sparse_embedding_where_rows_are_needed_is_told(how):
    _, targets = data_of()
    net = Words(sparse=True)
    balancer = eq.Balancer(eq.GradDrop() if how == "coordinate" else eq.MGDA(), net, tasks=NAMES)
    if how == "accumulate":
        balancer.accumulate(2)
    with pytest.raises(ValueError, match="sparse=False in the embedding"):
        balancer(losses_of(net(TOKENS), targets)).backward()


def test_complex_parameters_are_told():
    turn = nn.Parameter(torch.tensor([1 + 1j, 2 - 1j]))
    balancer = eq.Balancer(eq.MGDA(), [turn], tasks=["a", "b"])
    with pytest.raises(ValueError, match=r"complex parameters are not supported, got one of shape \(2,\)"):
        balancer({"a": turn.abs().sum(), "b": turn.real.sum()})
