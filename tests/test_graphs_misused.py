"""Graphs that a balancer cannot use, or not twice: what works instead is in the message, and works."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, jvp, vmap
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

import equipoise as eq

NAMES = ("a", "b")
X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))


def save_products(ctx, op, *args, **kwargs):
    is_product = op in (torch.ops.aten.mm.default, torch.ops.aten.addmm.default)
    return CheckpointPolicy.MUST_SAVE if is_product else CheckpointPolicy.PREFER_RECOMPUTE


SELECTIVE = {"context_fn": partial(create_selective_checkpoint_contexts, save_products)}


class Net(nn.Module):
    """A checkpointed trunk, one head per task."""

    def __init__(self, how=None):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4))
        self.heads = nn.ModuleDict({name: nn.Linear(4, 1) for name in NAMES})
        self.how = how

    def encode(self, x=X):
        return self.trunk(x) if self.how is None else checkpoint(self.trunk, x, use_reentrant=False, **self.how)

    def losses(self, z):
        return {name: (head(z) - k).square().mean() for k, (name, head) in enumerate(self.heads.items())}

    def forward(self, x=X):
        return self.losses(self.encode(x))

    def gradient(self):
        return torch.cat([p.grad.flatten() for p in self.parameters()])


def plain(make, **options):
    """The gradient without any checkpoint."""
    net = Net()
    eq.Balancer(make(), net, tasks=NAMES, **options)(net()).backward()
    return net.gradient()


# Selective activation checkpointing


@pytest.mark.parametrize("make", [eq.MGDA, eq.PCGrad, eq.GradDrop])
@pytest.mark.parametrize("route", ["auto", "rows"])
def test_selective_checkpoints_allow_one_pass_only_and_the_error_says_what_works(make, route):
    net = Net(SELECTIVE)
    balancer = eq.Balancer(make(), net, tasks=NAMES, route=route)
    message = (
        r"selective activation checkpoint.*one backward pass.*without context_fn.*route='batched'.*representation="
    )
    with pytest.raises(RuntimeError, match=message):
        balancer(net()).backward()
    assert all(p.grad is None for p in net.parameters())


def test_selective_checkpoints_where_gradients_are_measured_on_the_way():
    def accumulated(balancer, net):
        balancer.accumulate(2)
        balancer(net()).backward()

    def frozen(balancer, net):
        with balancer.frozen():
            balancer(net())

    def stepped(balancer, net):
        balancer(net()).backward()

    for run, method, options in (
        (accumulated, eq.MGDA(), {}),
        (frozen, eq.MGDA(), {}),
        (stepped, eq.Sum(), {"probe_every": 1}),
    ):
        net = Net(SELECTIVE)
        with pytest.raises(RuntimeError, match=r"selective activation checkpoint.*route='batched'"):
            run(eq.Balancer(method, net, tasks=NAMES, **options), net)
    report = eq.doctor(net, eq.Balancer(eq.MGDA(), net, tasks=NAMES), net())
    assert any("selective activation checkpoint" in finding for finding in report.findings)


def test_what_works_beside_selective_checkpoints_is_exact():
    for make in (eq.Sum, eq.UW):
        net = Net(SELECTIVE)
        eq.Balancer(make(), net, tasks=NAMES)(net()).backward()
        torch.testing.assert_close(net.gradient(), plain(make))
    for make in (eq.MGDA, eq.PCGrad):
        for how, options in ((SELECTIVE, {"route": "batched"}), ({}, {})):
            net = Net(how)
            eq.Balancer(make(), net, tasks=NAMES, **options)(net()).backward()
            torch.testing.assert_close(net.gradient(), plain(make))
    net, other = Net(SELECTIVE), Net()
    for each in (net, other):
        z = each.encode()
        eq.Balancer(eq.MGDA(), each, tasks=NAMES)(each.losses(z), representation=z).backward()
    torch.testing.assert_close(net.gradient(), other.gradient())


# One dictionary of losses in two balancers


@pytest.mark.parametrize("first", [eq.MGDA, eq.Sum])
@pytest.mark.parametrize("second", [eq.PCGrad, eq.UW])
@pytest.mark.parametrize("are_called_together", [True, False])
def test_one_dictionary_of_losses_in_two_balancers(first, second, are_called_together):
    net = Net()
    one, two = eq.Balancer(first(), net, tasks=NAMES), eq.Balancer(second(), net, tasks=NAMES)
    losses = net()
    late = two(losses) if are_called_together else None
    one(losses).backward()
    message = rf"the balancer of {first.__name__}\(\) went backward.*retain_graph=True, or compute the losses anew"
    with pytest.raises(RuntimeError, match=message):
        (late if are_called_together else two(losses)).backward()


@pytest.mark.parametrize("first", [eq.MGDA, eq.Sum])
@pytest.mark.parametrize("second", [eq.PCGrad, eq.UW])
def test_what_works_for_two_balancers_is_exact(first, second):
    expected = plain(first) + plain(second)
    net = Net()
    one, two = eq.Balancer(first(), net, tasks=NAMES), eq.Balancer(second(), net, tasks=NAMES)
    losses = net()
    one(losses).backward(retain_graph=True)
    two(losses).backward()
    torch.testing.assert_close(net.gradient(), expected)
    net.zero_grad()
    one(net()).backward()
    two(net()).backward()
    torch.testing.assert_close(net.gradient(), expected)
    if first is eq.Sum and second is eq.UW:  # two ordinary graphs of one backward
        net.zero_grad()
        losses = net()
        (one(losses) + two(losses)).backward()
        torch.testing.assert_close(net.gradient(), expected)


@pytest.mark.parametrize("make", [eq.MGDA, eq.Sum])
def test_one_balancer_twice_over_one_graph(make):
    net = Net()
    balancer = eq.Balancer(make(), net, tasks=NAMES)
    losses = net()
    balancer(losses).backward()
    with pytest.raises(RuntimeError, match=r"the graph of these losses is used up.*Compute losses anew"):
        balancer(losses).backward()


# torch.func


@pytest.mark.parametrize("make", [eq.Sum, eq.UW, eq.MGDA])
def test_torch_func_sees_no_backward_and_the_error_says_what_works(make):
    net = Net()
    balancer = eq.Balancer(make(), net, tasks=NAMES)
    parameters = {name: p.detach() for name, p in net.named_parameters()}

    def loss(parameters, x=X):
        return balancer(functional_call(net, parameters, (x,)))

    message = r"made inside torch\.func.*balancer\(losses\)\.backward\(\) outside.*balancer\.record\.weights"
    for transform in (
        lambda: grad(loss)(parameters),
        lambda: vmap(lambda x: balancer(net(x[None])))(X),
        lambda: vmap(grad(lambda p, x: loss(p, x[None])), (None, 0))(parameters, X),
        lambda: jvp(loss, (parameters,), (parameters,)),
    ):
        with pytest.raises(RuntimeError, match=message):
            transform()


def test_what_works_with_torch_func():
    net = Net()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES, heads="weighted")
    balancer(net()).backward()
    weights = balancer.record.weights

    def objective(parameters):
        return sum(weights[name] * loss for name, loss in functional_call(net, parameters, (X,)).items())

    found = grad(objective)({name: p.detach() for name, p in net.named_parameters()})
    torch.testing.assert_close(torch.cat([g.flatten() for g in found.values()]), net.gradient())
    with torch.no_grad():
        values = vmap(lambda x: balancer(net(x[None])))(X)
    assert values.shape == (5,)
