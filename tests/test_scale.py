"""How long steps are: scale="sum" gives a method that means the length of the sum, scale="paper" leaves it."""

import copy
import warnings
from functools import partial

import pytest
import torch
from torch import Tensor, nn

import equipoise as eq

F64 = torch.float64
MEANS = ["mgda", "cagrad", "imgrad", "conicgrad", "upgrad", "dualproj", "capped-mgda", "imtl-g", "excess-mtl", "median"]
MEANS += ["rlw", "cov", "gls", "famo", "softadapt", "group-dro", "cvar", "uw-so", "tchebycheff", "stch", "p-norm"]


class Net(nn.Module):
    """A trunk, and a head for each of K tasks; equal heads have equal gradients below."""

    def __init__(self, num_tasks: int, alike: bool = False, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.trunk = nn.Parameter(torch.randn(6, 8, generator=generator, dtype=F64) / 6**0.5)
        heads = torch.randn(1 if alike else num_tasks, 8, generator=generator, dtype=F64) / 8**0.5
        self.heads = nn.ParameterList(heads.expand(num_tasks, -1).clone().unbind())
        self.names = tuple(f"task {k}" for k in range(num_tasks))

    def losses(self, inputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        features = torch.tanh(inputs @ self.trunk)
        return self.losses_of(features, targets)

    def losses_of(self, features: Tensor, targets: Tensor) -> dict[str, Tensor]:
        found = [(features @ head - targets[:, k]).square().mean() for k, head in enumerate(self.heads)]
        return dict(zip(self.names, found, strict=True))


def bound_for(method, num_tasks):
    method.bind(num_tasks)
    return method


def data(num_tasks, alike=False, seed=1):
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(64, 6, generator=generator, dtype=F64)
    truth = torch.randn(6, 1 if alike else num_tasks, generator=generator, dtype=F64)
    return inputs, torch.sin(inputs @ truth).expand(-1, num_tasks)


def gradients(method, num_tasks=5, steps=1, alike=True, tasks=None, **options):
    """The gradients of the trunk and of the first head, and the last record."""
    net, shown = Net(num_tasks, alike), data(num_tasks, alike)
    balancer = eq.Balancer(method, net, tasks=tasks or net.names, **options)
    for _ in range(steps):
        net.zero_grad()
        balancer(net.losses(*shown)).backward()
    return net.trunk.grad, net.heads[0].grad, balancer.record


@pytest.mark.parametrize("heads", ["raw", "weighted"])
@pytest.mark.parametrize("name", MEANS)
def test_equal_gradients_of_equal_losses_deliver_the_sum(name, heads):
    expected = gradients(eq.Sum())
    trunk, head, record = gradients(
        eq.method(name), **({"heads": heads} if name not in ("median", "excess-mtl") else {})
    )
    torch.testing.assert_close(trunk, expected[0], rtol=1e-6, atol=1e-9)
    if isinstance(eq.method(name), eq.Weighting) and name not in ("tchebycheff", "rlw", "cvar"):
        torch.testing.assert_close(head, expected[1], rtol=1e-6, atol=1e-9)  # an objective moves heads too
    if record.weights:
        assert sum(record.weights.values()) == pytest.approx(5, rel=1e-6)


@pytest.mark.parametrize("name", MEANS)
def test_the_papers_scale_is_the_methods_own(name):
    paper, scaled = (gradients(eq.method(name), scale=scale, alike=False)[0] for scale in ("paper", "sum"))
    factor = bound_for(eq.method(name), 5).sum_factor(5)
    assert factor > 1
    torch.testing.assert_close(factor * paper, scaled)


@pytest.mark.parametrize("name", ["nash-mtl", "unit-norm", "log-sum", "fairgrad", "db-mtl", "sum", "pcgrad", "fixed"])
def test_a_length_of_its_own_and_a_sum_stay(name):
    arguments = {"weights": [0.5, 0.1, 0.1, 0.2, 0.1]} if name == "fixed" else {}
    paper, scaled = (gradients(eq.method(name, **arguments), scale=scale)[0] for scale in ("paper", "sum"))
    assert torch.equal(paper, scaled)


def test_the_number_of_tasks_is_that_of_those_balanced_in_the_step():
    net, shown = Net(5, alike=True), data(5, alike=True)
    balancer = eq.Balancer(eq.MGDA(), net, tasks=net.names)
    losses = net.losses(*shown)
    balancer({name: losses[name] for name in net.names[1:3]}).backward()
    assert sum(balancer.record.weights.values()) == pytest.approx(2)


PATHS = {
    "shared": {},
    "chosen": {"gramian_from": True},
    "rows": {"route": "rows"},
    "accumulated": {"accumulate": True},
    "representation": {"representation": True},
    "frozen": {"frozen": True},
    "reused": {"method": lambda: eq.Every(10, eq.CAGrad())},
    "smoothed": {"method": lambda: eq.Smooth(0.9, eq.CAGrad())},
    "frozen after": {"method": lambda: eq.FreezeAfter(1, eq.CAGrad())},
    "warmed up": {"method": lambda: eq.Warmup(1, eq.CAGrad(), ramp=2)},
    "bounded": {"method": lambda: eq.Bounded(0.1, 4.0, eq.CAGrad())},
    "chain": {"method": lambda: eq.Chain(eq.RLW(), eq.Sum(), eq.CAGrad())},
    "preconditioned": {"method": lambda: eq.Preconditioned(eq.CAGrad())},
    "per group": {"per_group": True},
}


@pytest.mark.parametrize("path", PATHS)
def test_every_way_to_deliver_has_the_length_of_the_sum(path):
    """Two steps each, of gradients that are equal but for what RLW draws."""
    options = dict(PATHS[path])
    found = {}
    for kind in ("method", "sum"):
        net, shown = Net(4, alike=True), data(4, alike=True)
        make = options.get("method", eq.CAGrad)
        method = make() if kind == "method" else eq.Sum()
        if options.get("per_group") and kind == "method":
            method = eq.PerGroup({"trunk": ([net.trunk], eq.CAGrad())}, rest=eq.MGDA())
        balancer = eq.Balancer(
            method,
            net,
            tasks=net.names,
            route=options.get("route", "auto"),
            gramian_from=[net.trunk] if options.get("gramian_from") and kind == "method" else None,
        )
        for _ in range(3):
            net.zero_grad()
            if options.get("accumulate") and kind == "method":
                balancer.accumulate(2)
                for part in (slice(0, 32), slice(32, 64)):
                    (balancer(net.losses(shown[0][part], shown[1][part])) / 2).backward()
            elif options.get("representation") and kind == "method":
                features = torch.tanh(shown[0] @ net.trunk)
                balancer(net.losses_of(features, shown[1]), representation=features).backward()
            elif options.get("frozen") and kind == "method":
                with balancer.frozen():
                    balancer(net.losses(*shown)).backward()
            else:
                balancer(net.losses(*shown)).backward()
        found[kind] = net.trunk.grad
    torch.testing.assert_close(found["method"], found["sum"], rtol=1e-6, atol=1e-9)


def test_a_mean_after_a_length_of_its_own_sums_what_that_gives():
    units, chained = (gradients(m)[0] for m in (eq.UnitNorm(), eq.Chain(eq.UnitNorm(), eq.MGDA())))
    torch.testing.assert_close(chained, units)
    nash, after = (gradients(m)[0] for m in (eq.NashMTL(), eq.Chain(eq.RLW(), eq.NashMTL())))
    torch.testing.assert_close(after.norm(), nash.norm())  # sqrt(K), whatever came before


@pytest.mark.parametrize(
    ("make", "factor"),
    [
        (eq.Sum, 1.0),
        (eq.MGDA, 4.0),
        (lambda: eq.CAGrad(c=0.25), 3.2),
        (lambda: eq.PNorm(p=2.0), 8.0),
        (lambda: eq.PNorm(p=2.0, weights=[1.0] * 4), 2.0),
        (eq.STCH, 16.0),
        (lambda: eq.STCH(weights=[1.0] * 4), 4.0),
        (eq.NashMTL, None),
        (lambda: eq.Chain(eq.RLW(), eq.CAGrad(c=1.0)), 8.0),
        (lambda: eq.Chain(eq.UnitNorm(), eq.MGDA()), None),
        (lambda: eq.Chain(), 1.0),
        (lambda: eq.Smooth(0.9, eq.MGDA()), 4.0),
        (lambda: eq.Preconditioned(eq.MGDA()), 4.0),
    ],
)
def test_what_methods_declare(make, factor):
    assert make().sum_factor(4) == pytest.approx(factor)


def test_groups_declare_what_all_of_them_have():
    first, second = nn.Linear(2, 2), nn.Linear(2, 2)
    alike = eq.PerGroup({"first": (first, eq.MGDA())}, rest=eq.UPGrad())
    assert alike.sum_factor(4) == 4.0
    assert eq.PerGroup({"first": (first, eq.MGDA()), "second": (second, eq.Sum())}).sum_factor(4) is None


class LearnedShares(eq.Weighting):
    """A user's own: a mean with learned shares."""

    def bind(self, num_tasks):
        self.logits = nn.Parameter(torch.tensor([0.3, -0.2, 0.1], dtype=F64)[:num_tasks])

    def sum_factor(self, num_tasks):
        return float(num_tasks)

    def forward(self, losses, tasks):
        return torch.softmax(self.logits[tasks], dim=0) @ losses


@pytest.mark.parametrize("make", [LearnedShares, lambda: eq.Smooth(0.0, LearnedShares())])
def test_learned_parameters_keep_the_gradient_of_their_own_objective(make):
    found = {}
    for scale in ("paper", "sum"):
        method = make()
        trunk, head, _ = gradients(method, 3, alike=False, scale=scale)
        (logits,) = method.parameters()
        found[scale] = trunk, head, logits.grad
    torch.testing.assert_close(found["sum"][0], 3 * found["paper"][0])
    torch.testing.assert_close(found["sum"][1], 3 * found["paper"][1])
    assert float(found["paper"][2].norm()) > 0
    torch.testing.assert_close(found["sum"][2], found["paper"][2])


def test_an_objective_has_the_scale_of_its_gradient_and_the_scalar_is_the_total():
    method = bound_for(eq.CVaR(alpha=0.5), 4)
    losses = torch.tensor([1.0, 2.0, 3.0, 4.0])
    assert float(method(losses)) == 3.5
    method.match_sum()
    assert float(method(losses)) == 14.0
    net, shown = Net(4), data(4)
    balancer = eq.Balancer(eq.CVaR(), net, tasks=net.names)
    losses = net.losses(*shown)
    assert balancer(losses).item() == pytest.approx(sum(losses.values()).item())


def test_bounds_are_those_of_the_weights_that_the_record_shows():
    _, _, record = gradients(eq.Bounded(0.8, 1.2, eq.MGDA()), alike=False)
    assert all(0.8 <= weight <= 1.2 for weight in record.weights.values())
    assert max(record.weights.values()) > 1.0 / 5  # the simplex's would all lie at the floor
    assert len(set(record.weights.values())) > 1


def test_a_warmup_ends_without_a_jump_in_length():
    lengths = [float(gradients(eq.Warmup(2, eq.UPGrad(), ramp=1), steps=steps)[0].norm()) for steps in (1, 2, 3, 4)]
    assert lengths == pytest.approx([lengths[0]] * 4)


def test_where_weights_scale_losses_it_is_the_sum_of_the_weighted_losses():
    weights = {f"task {k}": w for k, w in enumerate([4.0, 1.0, 1.0, 1.0, 1.0])}
    trunk = gradients(eq.Sum())[0]
    torch.testing.assert_close(gradients(eq.UPGrad(), tasks=weights)[0], 8 / 5 * trunk)  # sum_k w_k g_k
    torch.testing.assert_close(gradients(eq.CAGrad(), tasks=weights)[0], 8 / 5 * trunk)


@pytest.mark.parametrize("scale", ["mean", "papers", None, 1.0])
def test_refuses(scale):
    with pytest.raises(ValueError, match=f"scale must be 'sum' or 'paper', got {scale!r}"):
        gradients(eq.MGDA(), scale=scale)


def test_it_is_fixed_when_the_balancer_is_made_and_shown():
    net = Net(2)
    balancer = eq.Balancer(eq.MGDA(), net, tasks=net.names, scale="paper")
    assert balancer.scale == "paper"
    assert "scale='paper'" in repr(balancer)
    with pytest.raises(AttributeError):
        balancer.scale = "sum"
    assert eq.Balancer(eq.MGDA(), net, tasks=net.names).scale == "sum"


def test_a_copy_has_the_same_scale():
    net, shown = Net(3, alike=True), data(3, alike=True)
    net, twin = copy.deepcopy((net, eq.Balancer(eq.MGDA(), net, tasks=net.names)))
    twin(net.losses(*shown)).backward()
    assert sum(twin.record.weights.values()) == pytest.approx(3)


@pytest.mark.parametrize(("method", "matters"), [(eq.MGDA, True), (eq.NashMTL, False), (eq.Sum, False)])
def test_a_run_resumes_at_its_scale(method, matters):
    net = Net(3)
    state = {scale: eq.Balancer(method(), net, tasks=net.names, scale=scale).state_dict() for scale in ("sum", "paper")}
    for scale in ("sum", "paper"):
        other = "paper" if scale == "sum" else "sum"
        fresh = eq.Balancer(method(), net, tasks=net.names, scale=scale)
        fresh.load_state_dict(state[scale])
        if matters:
            with pytest.raises(ValueError, match=f"steps at scale='{other}', and this balancer has scale='{scale}'"):
                fresh.load_state_dict(state[other])
        else:
            fresh.load_state_dict(state[other])


def test_a_state_of_before_loads_and_says_that_its_steps_were_shorter():
    net = Net(3)
    mean = partial(eq.Chain, eq.UnitNorm(), eq.MGDA())  # one of the two has a length of its own
    cases = ((eq.MGDA, "sum", True), (eq.MGDA, "paper", False), (eq.UnitNorm, "sum", False), (mean, "sum", True))
    for make, scale, warns in cases:
        balancer = eq.Balancer(make(), net, tasks=net.names, scale=scale)
        state = balancer.state_dict()
        del state["_extra_state"]["scale"]
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            balancer.load_state_dict(state)
        assert [("scale='paper' to resume" in str(w.message)) for w in caught] == [True] * warns


def test_at_the_learning_rate_of_the_sum_a_mean_trains_as_the_sum_does():
    """CAGrad with c = 0 is the mean. For methods that differ from the sum: benchmarks/step_norm.py."""
    finals = {}
    for label, make, scale in (
        ("sum", eq.Sum, "sum"),
        ("mean", lambda: eq.CAGrad(c=0.0), "sum"),
        ("paper", lambda: eq.CAGrad(c=0.0), "paper"),
    ):
        net, shown = Net(10), data(10)
        balancer = eq.Balancer(make(), net, tasks=net.names, scale=scale)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
        for _ in range(20):
            optimizer.zero_grad()
            balancer(net.losses(*shown)).backward()
            nn.utils.clip_grad_norm_(net.parameters(), 2.0)
            optimizer.step()
        finals[label] = net.trunk.detach()
    torch.testing.assert_close(finals["mean"], finals["sum"])
    assert (finals["paper"] - finals["sum"]).norm() > 0.1 * (Net(10).trunk - finals["sum"]).norm()
