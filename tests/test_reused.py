"""Steps that need no gramian: one pass, at the weights decided before; and what becomes of the method's state."""

import warnings

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise.aggregation import LossScale, UnitNorm

NAMES = ["a", "b", "c"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.trunk = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 6))
        self.heads = nn.ModuleDict({name: nn.Linear(6, 1) for name in NAMES})
        self.batch = torch.randn(8, 4)

    def losses(self, names=NAMES):
        z = self.trunk(self.batch)
        return z, {n: ((1.0 + k) * self.heads[n](z) - k).square().mean() for k, n in enumerate(NAMES) if n in names}


def expected(net, weights, heads="raw", incoming=1.0):
    """incoming · sum_k w_k g_k on the trunk and g_k on the heads, by plain autograd."""
    _, losses = net.losses(weights)
    named = dict(net.named_parameters())
    found = {name: torch.zeros_like(p) for name, p in named.items()}
    for task, loss in losses.items():
        rows = torch.autograd.grad(loss, list(named.values()), retain_graph=True, allow_unused=True)
        for (name, _), row in zip(named.items(), rows, strict=True):
            if row is not None:
                is_weighted = name.startswith("trunk") or heads == "weighted"
                found[name] += incoming * (weights[task] if is_weighted else 1.0) * row
    return found


def step(net, balancer, at=None, names=NAMES, incoming=1.0):
    net.zero_grad()
    z, losses = net.losses(names)
    (incoming * balancer(losses, representation=z if at == "z" else None)).backward()
    return balancer.record


def close(net, wanted):
    for name, parameter in net.named_parameters():
        found = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        assert_close(found, wanted[name], rtol=1e-5, atol=1e-6)


@pytest.fixture
def passes(monkeypatch):
    seen, grad = [], torch.autograd.graph._engine_run_backward

    def counting(*arguments, **named):
        seen.append(arguments)
        return grad(*arguments, **named)

    monkeypatch.setattr(torch.autograd.graph, "_engine_run_backward", counting)
    return seen


@pytest.mark.parametrize("heads", ["raw", "weighted"])
@pytest.mark.parametrize("at", ["shared", "z", "last layer"])
def test_between_decisions_one_pass_delivers_the_earlier_weights(at, heads, passes):
    net = Net()
    chosen = net.trunk[2] if at == "last layer" else None
    balancer = eq.Balancer(eq.Every(3, eq.MGDA()), net, tasks=NAMES, heads=heads, gramian_from=chosen)
    routes, decided = [], {}
    for _ in range(7):
        before = len(passes)
        record = step(net, balancer, at, incoming=0.25)
        used = len(passes) - before
        routes.append(record.route == "reused")
        if record.route == "reused":
            assert used == 1
            assert record.gramian is None
            assert record.weights == decided
        decided = record.weights
        close(net, expected(net, decided, heads, 0.25))
        for p in net.parameters():
            p.data -= 0.01 * p.grad
    assert routes == [False, True, True, False, True, True, False]


def test_the_same_parameters_as_by_asking_a_method_that_remembers():
    """Thirty steps with Every, against a loop that decides by itself in every fifth."""
    net, mirror = Net(), Net()
    balancer = eq.Balancer(eq.Every(5, eq.UnitNorm()), net, tasks=NAMES)
    for t in range(30):
        if t % 5 == 0:
            _, losses = mirror.losses()
            trunk = list(mirror.trunk.parameters())
            rows = [torch.autograd.grad(loss, trunk, retain_graph=True) for loss in losses.values()]
            norms = [float(torch.cat([g.flatten() for g in row]).norm()) for row in rows]
            weights = {name: 1 / norm for name, norm in zip(NAMES, norms, strict=True)}
        wanted = expected(mirror, weights)
        step(net, balancer)
        close(net, wanted)
        for p, (_, gradient) in zip(mirror.parameters(), wanted.items(), strict=True):
            p.data -= 0.01 * gradient
        net.load_state_dict(mirror.state_dict())


def test_warmup_measures_nothing_before_and_freeze_after_nothing_behind():
    net = Net()
    for method, routes in (
        (eq.Warmup(2, eq.MGDA()), [True, True, False, False]),
        (eq.FreezeAfter(2, eq.MGDA()), [False, False, True, True]),
        (eq.Bounded(0.1, None, eq.Every(2, eq.MGDA())), [False, True, False, True]),
        (eq.Smooth(0.5, eq.Every(2, eq.Every(4, eq.MGDA()))), [False, *[True] * 7, False]),
        (eq.Chain(eq.Fixed([1.0, 2.0, 3.0]), LossScale(), eq.Every(2, eq.MGDA())), [False, True, False]),
        (eq.Chain(eq.Every(2, UnitNorm()), eq.Every(3, eq.MGDA())), [False, True, False, False, False, True]),
        (eq.Chain(eq.Every(2, UnitNorm()), eq.MGDA()), [False, False, False]),
        (LossScale(), [True, True]),
    ):
        balancer = eq.Balancer(method, net, tasks=NAMES)
        found = []
        for _ in routes:
            record = step(net, balancer)
            found.append(record.route == "reused")
            close(net, expected(net, record.weights))
        assert found == routes, method


@pytest.mark.parametrize("make", [
    lambda: eq.Every(3, eq.MGDA()),
    lambda: eq.Warmup(2, eq.UnitNorm(), ramp=2),
    lambda: eq.FreezeAfter(2, eq.PCGrad()),
    lambda: eq.Smooth(0.5, eq.Every(2, eq.UnitNorm())),
    lambda: eq.Chain(eq.Every(2, UnitNorm()), LossScale(), eq.Warmup(3, eq.MGDA())),
])  # fmt: skip
def test_where_the_gramian_is_not_needed_it_does_not_matter(make):
    """The answer to one of NaN is that to the real one, with any tasks present."""
    generator = torch.Generator().manual_seed(1)
    blind, seeing = make(), make()
    for method in (blind, seeing):
        method.bind(4)
    skipped = 0
    for present in ([0, 1, 2, 3],) * 3 + ([1, 2], [0, 3], [0, 1, 2, 3], [2], [1, 2]) * 3:
        tasks = torch.tensor(present)
        rows = torch.randn(len(present), 6, generator=generator, dtype=torch.float64)
        losses = torch.rand(len(present), generator=generator, dtype=torch.float64) + 0.1
        needed = blind.needs_gramian(tasks)
        assert needed == seeing.needs_gramian(tasks)
        skipped += not needed
        shown = rows @ rows.T if needed else torch.full((len(present),) * 2, torch.nan, dtype=torch.float64)
        assert torch.equal(blind(shown, losses, tasks), seeing(rows @ rows.T, losses, tasks))
    assert skipped


def test_chain_with_a_learned_weighting():
    net = Net()
    balancer = eq.Balancer(eq.Chain(eq.UW(), eq.Every(4, eq.MGDA())), net, tasks=NAMES)
    balancer.method.steps[0].log_variance.data.copy_(torch.tensor([0.0, 1.0, -1.0]))
    for t in range(3):
        balancer.zero_grad()
        record = step(net, balancer)
        assert (record.route == "reused") == (t > 0)
        close(net, expected(net, record.weights))
        _, losses = net.losses()
        variance = balancer.method.steps[0].log_variance
        own = 0.5 - 0.5 * torch.exp(-variance.detach()) * torch.stack(list(losses.values())).detach()
        assert_close(variance.grad, own)


def test_missing_tasks_reuse_their_weights_and_new_ones_call_for_a_decision():
    net = Net()
    balancer = eq.Balancer(eq.Every(10, eq.MGDA()), net, tasks=NAMES)
    first = step(net, balancer, names=["a", "b"]).weights
    record = step(net, balancer, names=["b"])
    assert record.route == "reused"
    assert record.weights == {"b": first["b"]}
    close(net, expected(net, {"b": first["b"]}))
    assert step(net, balancer, names=["a", "c"]).route != "reused"


@pytest.mark.parametrize("where", ["trunk", "head", "loss"])
def test_a_gradient_that_is_not_finite_goes_through_and_takes_the_step_back(where):
    net = Net()
    balancer = eq.Balancer(eq.Smooth(0.5, eq.Every(3, eq.MGDA())), net, tasks=NAMES)
    step(net, balancer)
    before = {name: value.clone() for name, value in balancer.method.state_dict().items()}
    net.zero_grad()
    _, losses = net.losses()
    spike = {"trunk": net.trunk[0].bias, "head": net.heads["b"].bias}.get(where)
    if spike is None:
        losses["b"] = losses["b"] * torch.inf
    else:
        zero = (spike - spike.detach()).sum()
        losses["b"] = losses["b"] + (zero * zero).sqrt()  # its value is finite, its gradient NaN
    balancer(losses).backward()
    assert balancer.record.skipped
    assert not all(p.grad.isfinite().all() for p in net.parameters())
    for name, value in balancer.method.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert step(net, balancer).route == "reused"


def test_a_zero_incoming_gradient_asks_nobody():
    net = Net()
    balancer = eq.Balancer(eq.Every(3, eq.MGDA()), net, tasks=NAMES)
    step(net, balancer)
    for _ in range(5):
        assert step(net, balancer, incoming=0.0).skipped
    assert [step(net, balancer).route == "reused" for _ in range(3)] == [True, True, False]


def test_heads_whose_outputs_were_joined_are_noticed_in_the_first_measured_step_of_the_look():
    net = Net()
    balancer = eq.Balancer(eq.Every(4, eq.MGDA()), net, tasks=NAMES)
    with pytest.warns(UserWarning, match="are reached by several losses") as warned:
        for _ in range(20):
            joined = torch.cat([net.heads[name](net.trunk(net.batch)) for name in NAMES], dim=1)
            joined = joined @ torch.eye(len(NAMES))  # no part is told from another
            balancer({name: (joined[:, k] - k).square().mean() for k, name in enumerate(NAMES)}).backward()
    assert len(warned) == 1


@pytest.mark.parametrize("steps", [49, 60, 99])
def test_a_warm_up_is_not_taken_for_a_missing_optimiser(steps):
    net = Net()
    balancer = eq.Balancer(eq.Warmup(steps, eq.UW()), net, tasks=NAMES)
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=1e-4)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(steps + 60):
            balancer.zero_grad()
            step(net, balancer)
            optimizer.step()
    assert not warned, [str(w.message) for w in warned]
