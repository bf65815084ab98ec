import copy

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.aggregation.meta_balance import MetaBalance
from equipoise.testing import check_method

F64 = torch.float64
NAMES = ("main", "one", "two")


class Net(nn.Module):
    def __init__(self, bias=True):
        super().__init__()
        torch.manual_seed(0)
        self.trunk = nn.Sequential(nn.Linear(5, 12, bias=bias), nn.Tanh(), nn.Linear(12, 8, bias=bias), nn.Tanh())
        self.behind = nn.Linear(8, 8)  # the main task goes around it
        self.heads = nn.ModuleDict({name: nn.Linear(8, 2) for name in NAMES})

    def losses(self, seed, present=NAMES):
        z = self.trunk(torch.randn(7, 5, generator=torch.Generator().manual_seed(seed), dtype=self.behind.weight.dtype))
        inputs = {"main": z, "one": torch.tanh(self.behind(z)), "two": torch.sin(self.behind(z))}
        values = {name: (self.heads[name](inputs[name]) - k).square().mean() for k, name in enumerate(NAMES)}
        return {name: 10.0**k * values[name] for k, name in enumerate(NAMES) if name in present}


class Official:
    """The official loop over tasks and parameters, on the shared ones; a length of zero is left out of it."""

    def __init__(self, parameters, relax, beta):
        self.parameters, self.relax, self.beta = parameters, relax, beta
        self.norms = {}

    def step(self, losses):
        """{parameter: gradient}; the first loss is the main one."""
        total = {p: torch.zeros_like(p) for p in self.parameters}
        for k, loss in enumerate(losses):
            gradients = torch.autograd.grad(loss, self.parameters, retain_graph=True, allow_unused=True)
            for p, g in zip(self.parameters, gradients, strict=True):
                if g is None:
                    continue
                self.norms[p, k] = self.norms.get((p, k), 0.0) * self.beta + (1 - self.beta) * g.norm()
                main = self.norms.get((p, 0), 0.0)
                ratio = main / self.norms[p, k] if main else 1.0
                total[p] += ratio * g * self.relax + g * (1 - self.relax)
        return total


def shared(net):
    return [p for name, p in net.named_parameters() if not name.startswith("heads")]


@pytest.mark.parametrize("route", ["auto", "rows", "batched", "factored"])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("relax", "beta"), [(0.7, 0.9), (1.0, 0.0), (0.3, 0.99)])
def test_it_is_the_official_loop_in_training(route, bias, relax, beta):
    net = Net(bias).double()
    official = Official(shared(net), relax, beta)
    balancer = eq.Balancer(MetaBalance(relax=relax, beta=beta), net, tasks=NAMES, route=route)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3)
    for seed in range(6):
        losses = net.losses(seed)
        expected = official.step(losses.values())
        optimizer.zero_grad()
        balancer(losses).backward()
        for parameter, gradient in expected.items():
            torch.testing.assert_close(parameter.grad, gradient, rtol=1e-9, atol=1e-12)
        optimizer.step()


@pytest.mark.needs("seen_hooks")
def test_layers_without_bias_keep_their_factors():
    net = Net(bias=False)
    balancer = eq.Balancer(MetaBalance(), net, tasks=NAMES, route="factored")
    balancer(net.losses(0)).backward()
    assert "trunk.0.weight: factors" in balancer.record.route
    assert "behind.weight: rows" in balancer.record.route


def test_relaxed_fully_and_without_memory_all_lengths_are_the_main_ones():
    rows = torch.randn(3, 2, 6, generator=torch.Generator().manual_seed(0), dtype=F64)  # [N, K, P]
    method = MetaBalance(main=1, relax=1.0, beta=0.0)
    method.bind(2)
    scaled = method(rows @ rows.mT, torch.ones(2, dtype=F64))[..., None] * rows
    torch.testing.assert_close(scaled.norm(dim=2)[:, 0], rows.norm(dim=2)[:, 1])
    torch.testing.assert_close(scaled[:, 1], rows[:, 1])


def test_absent_tasks_are_compared_by_their_running_means():
    """A steady length is compared alike however often its task was there."""
    gramians = torch.diag_embed(torch.tensor([[4.0, 25.0, 1.0], [1.0, 0.0, 9.0]], dtype=F64))
    method = MetaBalance(relax=1.0, beta=0.9)
    method.bind(3)
    losses = torch.ones(3, dtype=F64)
    for step in range(5):
        present = torch.arange(3)[: 3 if step % 2 else 1]
        method(gramians[:, present][:, :, present], losses[present], present)
    alone = torch.tensor([1, 2])  # the main task's length is remembered
    expected = torch.tensor([[2 / 5, 2.0], [1.0, 1 / 3]], dtype=F64)
    torch.testing.assert_close(method(gramians[:, alone][:, :, alone], losses[alone], alone), expected)


def test_before_the_main_task_was_there_nothing_changes():
    method = MetaBalance()
    method.bind(3)
    alone = torch.tensor([1, 2])
    weights = method(torch.eye(2, dtype=F64).expand(4, 2, 2), torch.ones(2, dtype=F64), alone)
    assert weights.tolist() == [[1.0, 1.0]] * 4


def test_the_state_resumes():
    net = Net()
    balancer, resumed = (eq.Balancer(MetaBalance(), net, tasks=NAMES) for _ in range(2))
    for seed in range(3):
        balancer(net.losses(seed, NAMES[: 2 + seed % 2])).backward()
    resumed.load_state_dict(copy.deepcopy(balancer.state_dict()))
    gradients = []
    for which in (balancer, resumed):
        net.zero_grad()
        which(net.losses(5)).backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


@pytest.mark.parametrize("main", [0, 3])
def test_laws(main):
    check_method(lambda: MetaBalance(main=main, relax=0.5))


def test_the_incoming_scale_and_tiny_losses_change_nothing_else():
    net = Net()
    found = []
    for scale in (1.0, 2.0**-60, 2.0**40):
        net.zero_grad()
        balancer = eq.Balancer(MetaBalance(), net, tasks=NAMES)
        (balancer({name: value * scale for name, value in net.losses(0).items()}) * 4).backward()
        found.append([p.grad / scale / 4 for p in shared(net)])
    for other in found[1:]:
        torch.testing.assert_close(other, found[0], rtol=1e-5, atol=0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"main": -1}, r"main must be a whole number, 0 or more, got -1"),
        ({"relax": 1.1}, r"relax must be in \[0, 1\], got 1.1"),
        ({"beta": 1.0}, r"beta must be in \[0, 1\), got 1.0"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        MetaBalance(**arguments)


def test_the_main_task_must_be_one():
    with pytest.raises(ValueError, match=r"main must be the index of one of 2 tasks, from 0 to 1, got 2"):
        MetaBalance(main=2).bind(2)
