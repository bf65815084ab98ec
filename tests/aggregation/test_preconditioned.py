import copy

import pytest
import torch
from three_heads import NAMES, Net

import equipoise as eq
from equipoise.aggregation.preconditioned import Preconditioned
from equipoise.testing import check_method

F64 = torch.float64


def drawn(steps, num_tasks=3, width=6, seed=0):
    return torch.randn(steps, num_tasks, width, generator=torch.Generator().manual_seed(seed), dtype=F64)


def bound(method, num_tasks=3):
    method.bind(num_tasks)
    return method


def test_the_sum_of_it_trains_as_adam_does():
    net, other = Net().double(), Net().double()
    balancer = eq.Balancer(Preconditioned(eq.Sum()), net, tasks=NAMES)
    optimizers = [torch.optim.Adam(model.parameters(), lr=1e-2) for model in (net, other)]
    for seed in range(10):
        for model, loss in ((net, balancer(net.losses(seed))), (other, sum(other.losses(seed).values()))):
            model.zero_grad()
            loss.backward()
        for optimizer in optimizers:
            optimizer.step()
    torch.testing.assert_close(net.state_dict(), other.state_dict(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("beta", [0.999, 0.9])
def test_it_knows_what_adam_knows(beta):
    net = Net().double()
    method = Preconditioned(eq.MGDA(), beta)
    balancer = eq.Balancer(method, net, tasks=NAMES)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2, betas=(0.9, beta))
    for seed in range(8):
        optimizer.zero_grad()
        balancer(net.losses(seed)).backward()
        optimizer.step()
        seen = torch.cat([optimizer.state[p]["exp_avg_sq"].flatten() for p in net.trunk.parameters()])
        torch.testing.assert_close(method.memory[0] ** 2, seen, rtol=1e-10, atol=0)


@pytest.mark.parametrize("make", [eq.MGDA, eq.NashMTL, eq.UnitNorm, lambda: eq.RunningNorm(0.9), eq.GradCosine])
def test_weights_are_those_of_the_rows_as_adam_scales_them(make):
    """Plain autograd, v kept by hand, and the wrapped method alone; with a task absent in between."""
    net, beta = Net().double(), 0.99
    alone = bound(make())
    balancer = eq.Balancer(Preconditioned(make(), beta), net, tasks=NAMES, scale="paper")
    trunk = list(net.trunk.parameters())
    v = 0.0
    for seed, present in enumerate((NAMES, NAMES, ("a", "c"), NAMES)):
        losses = net.losses(seed, present)
        rows = torch.stack(
            [
                torch.cat([g.flatten() for g in torch.autograd.grad(value, trunk, retain_graph=True)])
                for value in losses.values()
            ]
        )
        s = ((beta * v + (1 - beta) * (rows**2).sum(dim=0)) / (1 - beta ** (seed + 1))).sqrt()
        tasks = torch.tensor([NAMES.index(name) for name in present])
        values = torch.stack([value.detach() for value in losses.values()])
        expected = alone((rows / s) @ (rows / s).T, values, tasks) @ rows
        v = beta * v + (1 - beta) * expected**2
        net.zero_grad()
        (16 * balancer(losses)).backward()
        found = torch.cat([p.grad.flatten() for p in trunk]) / 16
        torch.testing.assert_close(found, expected, rtol=1e-7, atol=1e-12)


def test_no_coordinates_scale_changes_the_weights():
    """What makes Adam's update: each coordinate in units of its own."""
    units = torch.tensor([1e-6, 1e3, 1.0, 7.0, 1e5, 1e-3], dtype=F64)
    plain, scaled = bound(Preconditioned(eq.MGDA())), bound(Preconditioned(eq.MGDA()))
    for rows in drawn(5):
        torch.testing.assert_close(scaled(rows * units, rows.new_ones(3)), plain(rows, rows.new_ones(3)) * units)
    alone = bound(eq.MGDA())
    rows = drawn(1)[0]
    different = alone((rows * units) @ (rows * units).T, rows.new_ones(3)) - alone(rows @ rows.T, rows.new_ones(3))
    assert different.abs().max() > 0.1  # as it does without


@pytest.mark.parametrize("make", [eq.NashMTL, eq.RunningNorm, lambda: eq.Clip(1.0)])
def test_the_scale_of_all_losses_changes_no_weight(make):
    for scale in (2.0**-40, 2.0**40):
        plain, scaled = bound(Preconditioned(make())), bound(Preconditioned(make()))
        for rows in drawn(4):
            torch.testing.assert_close(scaled(rows * scale, rows.new_ones(3)) / scale, plain(rows, rows.new_ones(3)))


def test_a_coordinate_that_begins_to_move_does_not_drown_the_others():
    method = bound(Preconditioned(eq.UnitNorm(), beta=0.99), 2)
    quiet = torch.tensor([[1.0, 1e-12], [1.0, -1e-12]], dtype=F64)
    for _ in range(200):
        method(quiet, torch.ones(2, dtype=F64))
    loud = torch.tensor([[1.0, 1.0], [1.0, 0.0]], dtype=F64)
    first, second = torch.linalg.solve(loud.T, method(loud, torch.ones(2, dtype=F64)))
    assert 1 < second / first < 1.001 * (1 + 1 / 0.01) ** 0.5  # what Adam can make of it: 1 / sqrt(1 - beta)


@pytest.mark.parametrize("make", [eq.MGDA, eq.NashMTL, eq.DWA, lambda: eq.Chain(eq.RunningNorm(0.5), eq.Clip(1.0))])
def test_laws(make):
    check_method(lambda: Preconditioned(make()), except_for={})


def test_the_state_resumes():
    net, gradients = Net(), []
    balancer, resumed = (eq.Balancer(Preconditioned(eq.GradNorm()), net, tasks=NAMES) for _ in range(2))
    for seed in range(3):
        balancer(net.losses(seed, NAMES[: 2 + seed % 2])).backward()
    resumed.load_state_dict(copy.deepcopy(balancer.state_dict()))
    for which in (balancer, resumed):
        net.zero_grad()
        which(net.losses(5)).backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


def test_the_wrapped_method_stays_on_the_cpu_beside_its_gramian():
    moved = bound(Preconditioned(eq.DWA())).to("meta")
    assert moved.memory.device.type == "meta"
    assert moved.method.ratio.device.type == "cpu"


def test_it_works_behind_what_learns():
    net = Net()
    balancer = eq.Balancer(eq.Chain(eq.UW(), Preconditioned(eq.MGDA())), net, tasks=NAMES)
    balancer(net.losses(0)).backward()
    assert all(p.grad is not None for p in [*balancer.parameters(), *net.parameters()])


def test_the_wrapped_method_is_told():
    method = Preconditioned(eq.DWA())
    method.bind(2)
    for scale in (4.0, 1.0):
        method(torch.eye(2), scale * torch.tensor([1.0, 1.0]))
        method.end_epoch()
    assert method.method.ratio.tolist() == [0.25, 0.25]
    assert Preconditioned(eq.UnitNorm()).user_weight == "preference"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Preconditioned(eq.GradDrop()), "method must give weights: a Weighting or an Aggregator, got GradDrop"),
        (lambda: Preconditioned(eq.MGDA), "method must give weights: a Weighting or an Aggregator, got <class"),
        (lambda: Preconditioned(eq.MGDA(), beta=1.0), r"beta must be in \[0, 1\), got 1.0"),
        (lambda: bound(Preconditioned(eq.UW())), "Preconditioned.* would cut off the parameters method.log_variance"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make()
