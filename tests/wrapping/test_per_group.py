"""Each group of parameters by a method of its own, against rows taken by plain autograd."""

import copy

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.chain import AggregatorChain, Chain, GroupChain, split
from equipoise.testing import check_method
from equipoise.testing.run import run

NAMES = ("a", "b", "c")
ROUTES = ("auto", "rows", "batched", "factored")


class Net(nn.Module):
    """An embedding, layers with and without bias, and a layer that two of three tasks share."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(9, 8)
        self.low = nn.Linear(8, 16)
        self.high = nn.Linear(16, 8, bias=False)
        self.some = nn.Linear(8, 8)
        self.heads = nn.ModuleDict({name: nn.Linear(8, 2) for name in NAMES})

    def losses(self, seed, present=NAMES):
        numbers = torch.randint(0, 9, (6,), generator=torch.Generator().manual_seed(seed))
        z = torch.tanh(self.high(torch.tanh(self.low(self.table(numbers)))))
        inputs = {"a": z, "b": torch.tanh(self.some(z)), "c": torch.sin(self.some(z))}
        return {
            name: (10.0**k * (self.heads[name](inputs[name]) - k) ** 2).mean()
            for k, name in enumerate(NAMES)
            if name in present
        }

    @property
    def shared(self):
        return [p for name, p in self.named_parameters() if not name.startswith("heads")]


def rows_of(net, losses):
    """{parameter: its gradients [K, ...]} by plain autograd."""
    found = {}
    for parameter in net.parameters():
        gradients = [
            torch.autograd.grad(v, parameter, retain_graph=True, allow_unused=True)[0] for v in losses.values()
        ]
        found[parameter] = torch.stack([torch.zeros_like(parameter) if g is None else g for g in gradients])
    return found


def naive(net, losses, groups):
    """Every group on its own: gramian, weights, weighted sum. {parameter: gradient}."""
    rows, values = rows_of(net, losses), torch.stack([v.detach() for v in losses.values()]).double()
    tasks = torch.tensor([NAMES.index(name) for name in losses])
    expected = {p: rows[p].sum(dim=0) for p in net.parameters()}
    for parameters, method in groups:
        flat = torch.cat([rows[p].double().flatten(1) for p in parameters], dim=1)
        weights = AggregatorChain(method)(flat @ flat.T, values, tasks).to(net.low.weight)
        expected.update({p: torch.tensordot(weights, rows[p], dims=1) for p in parameters})
    return expected


def methods():
    found = [eq.MGDA(), eq.RunningNorm(0.5), eq.NashMTL()]
    for method in found:
        method.bind(3)
    return found


def given(net, low, high, rest):
    return eq.PerGroup({"low": ([*net.table.parameters(), net.low.weight], low), "high": (net.high, high)}, rest=rest)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_group_is_balanced_on_its_own(route, dtype):
    net = Net().to(dtype)
    low, high, rest = methods()
    # low.weight and low.bias lie in two groups: that layer has no factors for either
    balancer = eq.Balancer(
        given(net, eq.MGDA(), eq.RunningNorm(0.5), eq.NashMTL()), net, tasks=NAMES, route=route, scale="paper"
    )
    named = dict(net.named_parameters())
    others = [p for name, p in named.items() if name.startswith(("low.bias", "some"))]
    for seed, present in enumerate((NAMES, ("a", "c"), NAMES, ("c", "b"), NAMES)):
        losses = net.losses(seed, present)
        expected = naive(
            net, losses, [([net.table.weight, net.low.weight], low), ([net.high.weight], high), (others, rest)]
        )
        net.zero_grad()
        (8 * balancer(losses)).backward()  # the scale of a GradScaler
        tolerance = 1e-9 if dtype == torch.float64 else 2e-4
        for name, parameter in named.items():
            if parameter.grad is None:
                assert not expected[parameter].any()
                continue
            error = (parameter.grad / 8 - expected[parameter]).norm()
            assert error <= tolerance * (1e-12 + _length(expected[parameter])), name
        assert balancer.record.weights == {}
        assert balancer.record.gramian.shape == (len(present),) * 2


def _length(tensor):
    return float(tensor.norm())


def test_gradvac_in_each_group_is_the_papers_algorithm_1():
    # Wang et al. (2021): the targets are kept, and the surgery done, for every group of parameters by itself
    net, beta = Net().double(), 0.3
    groups = {"low": [*net.table.parameters(), net.low.weight], "high": [net.high.weight]}
    method = eq.PerGroup({name: (group, eq.GradVac(beta)) for name, group in groups.items()}, rest=eq.Sum())
    balancer = eq.Balancer(method, net, tasks=("a", "b"))
    target = {name: torch.zeros(2, 2, dtype=torch.float64) for name in groups}
    for seed in range(4):
        losses = net.losses(seed, ("a", "b"))
        rows = rows_of(net, losses)
        net.zero_grad()
        balancer(losses).backward()
        for name, group in groups.items():
            flat = torch.cat([rows[p].flatten(1) for p in group], dim=1)
            expected = flat.sum(dim=0)
            for i, j in ((0, 1), (1, 0)):
                own, other, aim = flat[i].norm(), flat[j].norm(), target[name][i, j].clone()
                cosine = flat[i] @ flat[j] / own / other
                if cosine < aim:
                    gain = own * (aim * (1 - cosine**2).sqrt() - cosine * (1 - aim**2).sqrt())
                    expected = expected + gain / (other * (1 - aim**2).sqrt()) * flat[j]
                target[name][i, j] += beta * (cosine - aim)
            found = torch.cat([p.grad.flatten() for p in group])
            torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-10)


def test_one_group_of_everything_is_the_method_itself():
    net = Net().double()
    gradients = []
    for method in (eq.MGDA(), eq.PerGroup({"all": (net, eq.MGDA())}), eq.PerGroup({}, rest=eq.MGDA())):
        net.zero_grad()
        eq.Balancer(method, net, tasks=NAMES)(net.losses(0)).backward()
        gradients.append([p.grad.clone() for p in net.parameters()])
    for other in gradients[1:]:
        torch.testing.assert_close(other, gradients[0], rtol=1e-10, atol=1e-12)


def test_the_sum_in_every_group_is_the_sum():
    net = Net().double()
    net.losses(0)
    sum(net.losses(0).values()).backward()
    plain = [p.grad.clone() for p in net.parameters()]
    net.zero_grad()
    method = eq.PerGroup({"table": (net.table, eq.Sum())}, rest=eq.Sum())
    eq.Balancer(method, net, tasks=NAMES)(net.losses(0)).backward()
    torch.testing.assert_close([p.grad for p in net.parameters()], plain)


@pytest.mark.needs("seen_hooks")
@pytest.mark.parametrize("route", ["auto", "factored"])
def test_layers_within_a_group_keep_their_factors(route):
    net = Net()
    whole = eq.Balancer(eq.PerGroup({"low": (net.low, eq.MGDA())}, rest=eq.Sum()), net, tasks=NAMES, route="factored")
    whole(net.losses(0)).backward()
    assert "low.weight: factors" in whole.record.route
    torn = eq.Balancer(eq.PerGroup({"w": ([net.low.weight], eq.MGDA())}, rest=eq.Sum()), net, tasks=NAMES, route=route)
    torn(net.losses(0)).backward()
    assert "low.weight: rows" in torn.record.route
    if route == "factored":
        assert "low.weight: rows, linear for which" in torn.record.route
        assert "but whose parts are weighed apart" in torn.record.route
        assert "high.weight: factors" in torn.record.route


def test_users_weights_and_weightings_come_before():
    net, (low, high, rest) = Net().double(), methods()
    chain = eq.Chain(eq.Fixed([1.0, 0.5, 2.0]), given(net, eq.MGDA(), eq.RunningNorm(0.5), eq.NashMTL()))
    assert type(chain) is GroupChain
    eq.Balancer(chain, net, tasks={"a": 3.0, "b": 1.0, "c": 1.0}, scale="paper")(net.losses(0)).backward()
    factors = {"a": 3.0, "b": 0.5, "c": 2.0}
    losses = {name: factors[name] * value for name, value in net.losses(0).items()}
    high.prefer(torch.tensor([3.0, 1.0, 1.0]))
    rest.prefer(torch.tensor([3.0, 1.0, 1.0]))
    others = [net.low.bias, *net.some.parameters()]
    expected = naive(
        net, losses, [([net.table.weight, net.low.weight], low), ([net.high.weight], high), (others, rest)]
    )
    for parameter in net.shared:
        torch.testing.assert_close(parameter.grad, expected[parameter])


def test_an_aggregator_before_scales_all_groups():
    net = Net().double()
    chain = eq.Chain(eq.UnitNorm(), eq.PerGroup({"low": (net.low, eq.MGDA())}, rest=eq.Sum()))
    eq.Balancer(chain, net, tasks=NAMES, scale="paper")(net.losses(0)).backward()
    rows = rows_of(net, net.losses(0))
    flat = torch.cat([rows[p].flatten(1) for p in net.shared], dim=1)
    units = {p: rows[p] / flat.norm(dim=1).view(-1, *[1] * p.dim()) for p in net.shared}
    torch.testing.assert_close(net.high.weight.grad, units[net.high.weight].sum(dim=0))
    low = torch.cat([units[p].flatten(1) for p in net.low.parameters()], dim=1)
    weights = eq.MGDA()(low @ low.T, torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(net.low.bias.grad, weights @ units[net.low.bias])


def test_laws():
    check_method(lambda: eq.PerGroup({}, rest=eq.MGDA()))
    check_method(lambda: eq.PerGroup({}, rest=eq.Chain(eq.DWA(), eq.RunningNorm(0.9))))


def test_the_state_resumes():
    net, after = Net(), []
    balancer = eq.Balancer(given(net, eq.GradNorm(), eq.RunningNorm(), eq.Every(2, eq.MGDA())), net, tasks=NAMES)
    for seed in range(3):
        balancer(net.losses(seed)).backward()
    resumed = eq.Balancer(given(net, eq.GradNorm(), eq.RunningNorm(), eq.Every(2, eq.MGDA())), net, tasks=NAMES)
    resumed.load_state_dict(balancer.state_dict())
    for which in (balancer, resumed):
        net.zero_grad()
        which(net.losses(4)).backward()
        after.append([p.grad.clone() for p in net.parameters()])
    torch.testing.assert_close(*after, rtol=0, atol=0)
    assert not any(name.startswith("method") and "table" in name for name in balancer.state_dict())
    assert not list(balancer.parameters())  # the model stays the user's


def test_a_copy_follows_the_copied_model():
    net = Net()
    pair = copy.deepcopy((net, eq.Balancer(given(net, eq.MGDA(), eq.MGDA(), eq.Sum()), net, tasks=NAMES)))
    pair[1](pair[0].losses(0)).backward()
    assert pair[0].low.weight.grad is not None
    assert net.low.weight.grad is None


def test_all_methods_are_told():
    heard = []

    class Listener(eq.Aggregator):
        def end_epoch(self):
            heard.append("end_epoch")

        def observe(self, results, tasks):
            heard.append("observe")

        def after_step(self, losses, tasks):
            heard.append("after_step")

        def prefer(self, weights):
            heard.append("prefer")

    net = Net()
    method = eq.PerGroup({"low": (net.low, Listener())}, rest=Listener())
    balancer = eq.Balancer(method, net, tasks={"a": 2.0, "b": 1.0, "c": 1.0})
    balancer.end_epoch()
    balancer.observe({"a": 1.0})
    balancer.after_step(net.losses(0))
    assert heard == ["prefer"] * 2 + ["end_epoch"] * 2 + ["observe"] * 2 + ["after_step"] * 2


def test_a_module_is_read_at_every_step():
    net = Net()
    balancer = eq.Balancer(eq.PerGroup({"all but heads": (net, eq.MGDA())}), net, tasks=NAMES)
    balancer(net.losses(0)).backward()
    net.low = nn.Linear(8, 16)
    net.zero_grad()
    balancer(net.losses(0)).backward()
    assert net.low.weight.grad is not None


def test_shared_parameters_in_no_group_are_named():
    net = Net()
    balancer = eq.Balancer(
        eq.PerGroup({"low": (net.low, eq.MGDA()), "table": (net.table, eq.MGDA())}), net, tasks=NAMES
    )
    with pytest.raises(ValueError, match=r"high\.weight, some\.weight, some\.bias are shared by tasks and in no group"):
        balancer(net.losses(0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda net: eq.PerGroup("trunk"), r"groups must be \{name: \(parameters, method\)\}, got 'trunk'"),
        (lambda net: eq.PerGroup({}), "groups is empty: name at least one, or give a method for the rest"),
        (lambda net: eq.PerGroup({"low": net.low}), r"group 'low' must be \(parameters, method\), got Linear"),
        (lambda net: eq.PerGroup({"low": (net.low, net.high)}), "the method of 'low' must be a Weighting or an Aggreg"),
        (lambda net: eq.PerGroup({"low": (net.low, eq.GradDrop())}), "method of 'low' must be a Weighting or an Aggr"),
        (lambda net: eq.PerGroup({}, rest=eq.MetaBalance()), "the method of 'rest' must be a Weighting or an Aggr"),
    ],
)
def test_refuses(make, message):
    with pytest.raises(ValueError, match=message):
        make(Net())


def test_refuses_one_method_in_two_groups():
    net, method = Net(), eq.GradNorm()
    with pytest.raises(ValueError, match="one method object serves two groups, with its state: make two"):
        eq.PerGroup({"low": (net.low, method)}, rest=method)


@pytest.mark.parametrize(
    ("groups", "options", "message"),
    [
        (
            lambda n: {"x": (n.low, eq.MGDA()), "y": ([n.low.bias], eq.MGDA())},
            {},
            "low.bias is in two groups, 'x' and 'y'",
        ),
        (lambda n: {"x": (nn.Linear(1, 1), eq.MGDA())}, {}, "group 'x' holds none of the parameters that the balancer"),
        (lambda n: {"x": (n.low, eq.UW())}, {}, "would cut off the parameters .*log_variance.*put what learns before"),
        (lambda n: {"x": (n, eq.MGDA())}, {"heads": "weighted"}, "heads='weighted' has no use in PerGroup"),
        (
            lambda n: {"x": (n, eq.MGDA())},
            {"gramian_from": []},
            "gramian_from has no use in PerGroup|parameters is empty",
        ),
    ],
)
def test_a_balancer_refuses_at_construction(groups, options, message):
    net = Net()
    if "gramian_from" in options:
        options = {"gramian_from": net.high}
    with pytest.raises(ValueError, match=message):
        eq.Balancer(eq.PerGroup(groups(net)), net, tasks=NAMES, **options)


def test_a_representation_is_refused():
    net = Net()
    balancer = eq.Balancer(eq.PerGroup({}, rest=eq.MGDA()), net, tasks=NAMES)
    with pytest.raises(ValueError, match="representation has no use in PerGroup"):
        balancer(net.losses(0), representation=net.table.weight * 1)


def test_overlapping_groups_of_any_method_are_refused():
    class Twice(eq.GroupAggregator):
        def groups_of(self, parameters):
            return [list(parameters.values())] * 2

        def forward(self, gramians, losses, tasks):
            return torch.ones(gramians.shape[:2])

    net = Net()
    with pytest.raises(ValueError, match=r"Twice\(\) has a parameter in two groups: groups must be disjoint"):
        eq.Balancer(Twice(), net, tasks=NAMES)(net.losses(0))


def test_it_ends_a_chain():
    net = Net()
    chain = eq.Chain(eq.Fixed([1.0] * 5), Chain(eq.UnitNorm(), eq.PerGroup({}, rest=eq.MGDA())))
    parts = split(chain)
    assert parts.takes_gradients
    assert parts.coordinate is None
    torch.testing.assert_close(
        run(bound(chain)), run(bound(eq.Chain(eq.Fixed([1.0] * 5), eq.UnitNorm(), eq.MGDA()))), rtol=1e-9, atol=0
    )
    for last in (eq.MGDA, eq.GradDrop, eq.MetaBalance):
        with pytest.raises(ValueError, match="then at most one coordinate aggregator or group aggregator, got Chain"):
            eq.Chain(eq.PerGroup({"low": (net.low, eq.MGDA())}), last())


def bound(method):
    method.bind(5)
    return method


def test_it_prints_its_groups_without_their_numbers():
    net = Net()
    assert repr(eq.PerGroup({"low": (net.low, eq.MGDA())}, rest=eq.Sum())) == (
        "PerGroup({'low': (<2 parameters>, MGDA())}, rest=Sum())"
    )


def test_a_user_weight_is_what_the_methods_make_of_it():
    net = Net()
    assert eq.PerGroup({"low": (net.low, eq.Sum())}).user_weight == "scales"
    assert eq.PerGroup({"low": (net.low, eq.GradNorm())}, rest=eq.Sum()).user_weight == "ignored"


def test_its_groups_cannot_be_changed_where_it_would_not_notice():
    net = Net()
    method = eq.PerGroup({"low": (net.low, eq.MGDA())}, rest=eq.Sum())
    with pytest.raises(TypeError, match="item assignment"):
        method.groups["high"] = method.groups["low"]
    assert list(copy.deepcopy(method).groups) == ["low"]
