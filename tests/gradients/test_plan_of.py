"""Which route a step takes: factors where they cost less, one batched pass where PyTorch has the rules, else rows."""

import warnings

import pytest
import torch
from architectures import ARCHITECTURES, Blocked
from torch import nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

import equipoise as eq
from equipoise.gradients import plan
from equipoise.gradients.batching import BATCHES
from equipoise.gradients.graph import graph_of
from equipoise.gradients.plan import plan_of
from equipoise.gradients.routes import batched, joined, sequential


class Tilted(eq.Aggregator):
    """Weights that do not depend on the gramian, though it is measured."""

    def forward(self, gramian, losses, tasks):
        return 0.5 + tasks.to(gramian.dtype)


class Sign(eq.CoordinateAggregator):
    def forward(self, jacobian, losses, tasks):
        return jacobian.sum(dim=0).sign()


class Net(nn.Module):
    """A trunk of two layers and two heads."""

    def __init__(self, width=32):
        super().__init__()
        self.first, self.second = nn.Linear(8, width), nn.Linear(width, width)
        self.a, self.b = nn.Linear(width, 1), nn.Linear(width, 1)

    def forward(self, x):
        z = torch.tanh(self.second(torch.tanh(self.first(x))))
        return {"a": self.a(z).square().mean(), "b": (self.b(z) - 1).square().mean()}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net()


def planned(net, losses, route="auto"):
    shared = [*net.first.parameters(), *net.second.parameters()]
    return plan_of(route, shared, graph_of(list(losses.values())), len(losses))


@pytest.mark.needs("seen_hooks")
def test_few_samples_take_factors_and_many_take_rows():
    net = Net(900)
    few, many = planned(net, net(torch.randn(8, 8))), planned(net, net(torch.randn(4000, 8)))
    assert [layer.leaves[0] for layer in few.layers] == [net.second.weight]
    assert many.layers == []


def test_a_layer_that_is_not_worth_the_set_up_takes_rows(net):
    assert planned(net, net(torch.randn(4, 8))).layers == []


@pytest.mark.needs("seen_hooks")
def test_factors_that_save_little_in_all_are_left():
    """One layer that would save half of what a step with factors costs, and eight of them."""
    for number, taken in [(1, 0), (8, 8)]:
        layers = nn.ModuleList(nn.Linear(400, 400) for _ in range(number))
        z = torch.randn(64, 400)
        for layer in layers:
            z = torch.tanh(layer(z))
        graph, shared, known = graph_of([z.mean(), z.square().mean()]), list(layers.parameters()), plan.KnownRows()
        found = plan_of("auto", shared, graph, 2, known=known)
        assert len(found.layers) == taken
        assert ("too little beside" in found.why[shared[0]]) == (not taken)
        assert len(known) == (not taken)
        assert len(plan_of("factored", shared, graph, 2).layers) == number


@pytest.mark.needs("seen_hooks")
def test_what_a_layer_would_save_that_groups_cut_does_not_count():
    """A small layer beside a large one, whose weight and bias are weighed apart, is as one that is alone."""
    small, large = nn.Linear(400, 400), nn.Linear(400, 2000)
    z = large(torch.tanh(small(torch.randn(64, 400))))
    graph, shared = graph_of([z.mean(), z.square().mean()]), [*small.parameters(), *large.parameters()]
    cut = [[*small.parameters(), large.weight], [large.bias]]
    assert len(plan_of("auto", shared, graph, 2).layers) == 2
    assert plan_of("auto", shared, graph, 2, cut).layers == []


@pytest.mark.needs("seen_hooks")
def test_passes_are_batched_where_they_are_neither_slight_nor_thick():
    """Too little to be worth the set-up, enough, and so much that each pass fills the machine by itself."""
    for width, batch, passes in [(1024, 8, sequential), (700, 90, joined), (1000, 120, sequential)]:
        net = Net(width)
        found = planned(net, net(torch.randn(batch, 8)))
        assert found.passes is passes
        assert found.layers


@pytest.mark.parametrize(("route", "passes"), [("rows", sequential), ("batched", batched)])
def test_the_row_routes_know_no_layers(net, route, passes):
    found = planned(net, net(torch.randn(4, 8)), route)
    assert (found.passes, found.layers) == (passes, [])


@pytest.mark.needs("seen_hooks")
def test_the_record_says_which_part_went_which_way_and_why(net):
    balancer = eq.Balancer(Tilted(), net, tasks=["a", "b"], route="factored")
    balancer(net(torch.randn(4, 8))).backward()
    first, *parts = balancer.record.route.splitlines()
    assert first == "factored: one batched backward pass below the join of the tasks"
    assert parts[0].startswith("  first.weight: factors, linear for which factors cost ")
    assert len(parts) == 4


@pytest.mark.needs("seen_hooks")
def test_the_record_names_what_has_no_factors():
    torch.manual_seed(0)
    net = Net()
    net.second = nn.LayerNorm(32)
    balancer = eq.Balancer(Tilted(), net, tasks=["a", "b"], route="factored")
    balancer(net(torch.randn(4, 8))).backward()
    lines = balancer.record.route.splitlines()
    assert lines[0] == "factored: one backward pass per task"
    assert "  second.weight: rows, no factors are known where NativeLayerNormBackward0 use it" in lines


def test_a_plan_follows_the_graph(net):
    """Another batch size, a missing task, a frozen layer, a thawed one: always as by rows."""
    balancer = eq.Balancer(Tilted(), net, tasks=["a", "b"], route="factored")
    reference = eq.Balancer(Tilted(), net, tasks=["a", "b"], route="rows")

    def deliver(balance, x, names):
        net.zero_grad()
        losses = net(x)
        balance({name: losses[name] for name in names}).backward()
        return [p.grad for p in net.parameters()]

    for batch, names, trained in [(4, "ab", True), (9, "ab", True), (4, "b", True), (4, "ab", False), (4, "ab", True)]:
        net.second.requires_grad_(trained)
        x = torch.randn(batch, 8)
        found, expected = deliver(balancer, x, names), deliver(reference, x, names)
        for gradient, other in zip(found, expected, strict=True):
            assert (gradient is None) == (other is None)
            if gradient is not None:
                assert_close(gradient, other, rtol=1e-5, atol=1e-6)


def test_what_needs_rows_gets_them(net):
    balancer = eq.Balancer(Sign(), net, tasks=["a", "b"])
    balancer(net(torch.randn(4, 8))).backward()
    assert balancer.record.route.startswith("rows: one backward pass per task")
    with pytest.raises(ValueError, match=r"route='factored' has no rows, and Sign\(\) needs them"):
        eq.Balancer(Sign(), net, tasks=["a", "b"], route="factored")


def test_probing_takes_factors_too(net):
    x, gramians = torch.randn(4, 8), []
    for route in ("rows", "factored"):
        balancer = eq.Balancer(eq.Sum(), net, tasks=["a", "b"], route=route, probe_every=1)
        balancer(net(x)).backward()
        gramians.append(balancer.record.gramian)
    assert_close(*gramians, rtol=1e-5, atol=0)


@pytest.mark.needs("seen_hooks")
def test_tasks_that_join_twice_go_one_by_one(net):
    """A pass down to both joins would run through the upper one and count the lower one's gradient twice."""
    hidden = torch.tanh(net.first(torch.randn(4, 8)))
    z = torch.tanh(net.second(hidden))
    losses = {"a": net.a(z).square().mean(), "b": net.b(z + hidden).square().mean()}
    found = planned(net, losses, "factored")
    assert found.passes is sequential
    assert len(found.layers) == 2


@pytest.mark.needs("seen_hooks")
def test_tasks_that_share_above_the_join_go_one_by_one(net):
    """Of a node that two of three tasks reach, one pass from all losses could not say whose gradient it passes on."""
    z = torch.tanh(net.second(torch.tanh(net.first(torch.randn(4, 8)))))
    two = torch.tanh(net.b(z))
    losses = {"a": net.a(z).square().mean(), "b": two.square().mean(), "c": (two - 1).square().mean()}
    found = planned(net, losses, "factored")
    assert found.passes is sequential
    assert len(found.layers) == 2


def test_a_loss_above_which_another_lies_is_no_join(net):
    z = torch.tanh(net.second(torch.tanh(net.first(torch.randn(4, 8)))))
    loss = net.a(z).square().sum(dim=(0, 1))
    assert planned(net, {"a": loss, "b": 2 * loss}, "factored").passes is sequential


def test_looking_for_layers_does_not_run_a_checkpoint_again():
    """Every backward pass through a checkpoint runs its forward pass once, whatever the route."""
    runs = []

    class Counted(nn.Linear):
        def forward(self, x):
            runs.append(1)
            return super().forward(x)

    def count(route):
        torch.manual_seed(0)
        net, inner = Net(), Counted(32, 32)
        net.second = inner
        z = torch.utils.checkpoint.checkpoint(inner, torch.tanh(net.first(torch.randn(4, 8))), use_reentrant=False)
        losses = {"a": net.a(z).square().mean(), "b": net.b(z).square().mean()}
        runs.clear()
        eq.Balancer(Tilted(), net, tasks=["a", "b"], route=route)(losses).backward()
        return len(runs)

    assert count("factored") == count("rows") == 2


@pytest.mark.needs("seen_hooks")
def test_a_hook_on_an_output_is_heard_in_a_batched_pass(net):
    heard = []
    hidden = net.first(torch.randn(4, 8))
    hidden.register_hook(lambda gradient: heard.append(gradient.shape))
    z = torch.tanh(net.second(torch.tanh(hidden)))
    losses = {"a": net.a(z).square().mean(), "b": net.b(z).square().mean()}
    balancer = eq.Balancer(Tilted(), net, tasks=["a", "b"], route="factored")
    balancer(losses).backward()
    assert "one batched" in balancer.record.route
    assert heard == [torch.Size([4, 32])]


@pytest.mark.needs("seen_hooks")
def test_a_leaf_outside_and_below_the_join_gets_the_gradient_of_the_total(net):
    x = torch.randn(4, 8, requires_grad=True)
    losses = net(x)
    (expected,) = torch.autograd.grad(sum(losses.values()), x, retain_graph=True)
    balancer = eq.Balancer(Tilted(), net, tasks=["a", "b"], route="factored")
    balancer(losses).backward()
    assert "one batched" in balancer.record.route
    assert_close(x.grad, expected)


@pytest.mark.needs("seen_hooks")
@pytest.mark.parametrize("retain", [False, True])
def test_heads_and_trunk_are_freed_by_a_joined_pass_unless_it_is_retained(net, retain):
    hidden = torch.tanh(net.first(torch.randn(4, 8)))
    z = torch.tanh(net.second(hidden))
    losses = {"a": net.a(z).square().mean(), "b": net.b(z).square().mean()}
    balancer = eq.Balancer(Tilted(), net, tasks=["a", "b"], route="factored")
    balancer(losses).backward(retain_graph=retain)
    assert balancer._state.jacobian.points == []
    for output, point in [(z.sum(), hidden), (losses["a"], net.a.weight)]:
        if retain:
            torch.autograd.grad(output, point, retain_graph=True)
        else:
            with pytest.raises(RuntimeError, match="second time"):
                torch.autograd.grad(output, point)


def test_a_table_without_rows_is_no_error():
    table, linear = nn.Embedding(0, 6), nn.Linear(6, 2)
    a, b = linear(table(torch.zeros(0, dtype=torch.int64)).sum(dim=0)[None])[0]
    balancer = eq.Balancer(Tilted(), [*table.parameters(), *linear.parameters()], tasks=["a", "b"], route="factored")
    balancer({"a": a, "b": b}).backward()
    assert table.weight.grad.shape == (0, 6)


@pytest.mark.needs("seen_hooks")
@pytest.mark.parametrize("product", [lambda x, w: x @ w.mT, lambda x, w: x @ w.transpose(0, 1), lambda x, w: x @ w.T])
def test_a_product_with_a_transposed_weight_has_factors(net, product):
    z = torch.tanh(product(net.first(torch.randn(4, 8)), net.second.weight))
    graph = graph_of([net.a(z).square().mean(), net.b(z).square().mean()])
    found = plan_of("factored", [net.second.weight], graph, 2)
    assert net.second.weight in {leaf for layer in found.layers for leaf in layer.leaves}


def tied(batch, tokens=300, width=64, look_up=True):
    """A language model of two losses, whose table is its output layer, and what was planned for the table."""
    table, output = nn.Embedding(tokens, width), nn.Linear(width, tokens)
    output.weight = table.weight
    ids = torch.randint(tokens, (batch,))
    z = table(ids) if look_up else torch.randn(batch, width)
    logits = output(torch.tanh(z))
    graph = graph_of([F.cross_entropy(logits, ids), logits.square().mean()])
    return table.weight, output.bias, plan_of("auto", [table.weight, output.bias], graph, 2)


@pytest.mark.needs("seen_hooks")
def test_a_table_that_is_its_output_layer_takes_factors_where_they_cost_less():
    table, bias, few = tied(16, tokens=4000)
    assert [layer.leaves for layer in few.layers] == [(table, bias)]
    assert few.why[table].startswith("factors, embedding and linear for which factors cost 0.")
    table, bias, many = tied(1000)
    assert many.layers == []
    assert many.why[table].startswith("rows, embedding and linear for which factors cost ")


@pytest.mark.needs("seen_hooks")
def test_looking_up_a_tied_table_is_counted_on_top_of_its_product():
    """Their cross terms cost something; but rows form a dense gradient of each use too."""

    def operations(look_up):
        *_, found = tied(16, tokens=8000, look_up=look_up)
        (layer,) = found.layers
        return layer.operations(2), layer.row_operations(2)

    both, product = operations(True), operations(False)
    assert both[0] > product[0]
    assert product[1] < both[1] < 2 * product[1]


@pytest.mark.needs("seen_hooks")
def test_a_weight_and_its_transpose_have_factors_together():
    weight = nn.Parameter(torch.randn(900, 900))
    z = torch.tanh(F.linear(torch.randn(8, 900), weight)) @ weight
    found = plan_of("auto", [weight], graph_of([z.square().mean(), z.mean()]), 2)
    assert found.why[weight].startswith("factors, linear and transposed linear for which factors cost 0.")


@pytest.mark.needs("seen_hooks")
def test_kernels_used_twice_have_factors_over_the_positions_of_both():
    """Few positions, with a stride of its own each."""
    conv = nn.Conv2d(128, 512, 3)
    x = torch.randn(1, 128, 5, 5)
    z = conv(x).mean(dim=(2, 3)) + F.conv2d(x, conv.weight, conv.bias, stride=2, padding=1).mean(dim=(2, 3))
    found = plan_of("auto", list(conv.parameters()), graph_of([z.square().mean(), z.mean()]), 2)
    (layer,) = found.layers
    assert layer.leaves == (conv.weight, conv.bias)
    assert found.why[conv.weight].startswith("factors, convolution for which factors cost 0.")


@pytest.mark.needs("seen_hooks")
def test_a_table_looked_up_and_read_in_bags_has_rows():
    table, ids = nn.Embedding(9000, 64), torch.randint(9000, (4, 8))
    z = table(ids).mean(dim=1) + F.embedding_bag(ids, table.weight)
    found = plan_of("factored", [table.weight], graph_of([z.square().mean(), z.mean()]), 2)
    both = "EmbeddingBackward0 and EmbeddingBagBackward0"
    assert found.why[table.weight] == f"rows, no factors are known where {both} use it"


@pytest.mark.needs("seen_hooks")
@pytest.mark.parametrize("last", ["linear", "tanh", "unbiased"])
def test_a_hook_at_the_join_works_once(net, last):
    """Autograd runs it where a pass ends and again where the next one begins, unless told better."""
    if last == "unbiased":
        net.second = nn.Linear(32, 32, bias=False)
    gradients = []
    for route in ("rows", "factored"):
        z = net.second(torch.tanh(net.first(torch.linspace(-1, 1, 32).view(4, 8))))
        z = torch.tanh(z) if last == "tanh" else z
        z.register_hook(lambda gradient: 3 * gradient)
        losses = {"a": net.a(z).square().mean(), "b": net.b(z).square().mean()}
        balancer = eq.Balancer(Tilted(), net, tasks=["a", "b"], route=route)
        net.zero_grad()
        balancer(losses).backward()
        gradients.append([balancer.record.gramian, *(p.grad for p in net.parameters())])
    assert "one batched" in balancer.record.route
    for one, other in zip(*gradients, strict=True):
        assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.needs("seen_hooks")
def test_a_hook_that_cannot_be_batched_is_told_of(net):
    z = torch.tanh(net.second(torch.tanh(net.first(torch.randn(4, 8)))))
    z.register_hook(lambda gradient: print(gradient.norm().item()))
    losses = {"a": net.a(z).square().mean(), "b": net.b(z).square().mean()}
    with pytest.raises(RuntimeError, match="batched backward pass failed, use route='rows'"):
        eq.Balancer(Tilted(), net, tasks=["a", "b"], route="factored")(losses).backward()


@pytest.mark.needs("seen_hooks")
def test_a_layer_at_which_no_task_has_a_gradient_gets_zeros(net):
    side = nn.Linear(8, 32)
    x = torch.randn(4, 8)
    z, silent = torch.tanh(net.second(torch.tanh(net.first(x)))), side(x)
    losses = {"a": net.a(z + Blocked.apply(silent)), "b": net.b(z * Blocked.apply(silent))}
    parameters = [*net.parameters(), *side.parameters()]
    balancer = eq.Balancer(Tilted(), parameters, tasks=["a", "b"], route="factored")
    balancer({name: output.square().mean() for name, output in losses.items()}).backward()
    assert "one batched" in balancer.record.route
    assert not side.weight.grad.any()


def test_a_task_whose_gradient_is_undefined_at_the_join_has_a_zero_row():

    torch.manual_seed(0)
    net = Net()
    z = torch.tanh(net.second(torch.tanh(net.first(torch.randn(4, 8)))))
    losses = {"a": net.a(Blocked.apply(z)).square().mean(), "b": net.b(z).square().mean()}
    balancer = eq.Balancer(Tilted(), net, tasks=["a", "b"], route="factored")
    balancer(losses).backward()
    assert balancer.record.norms["a"] == 0
    assert torch.isfinite(net.first.weight.grad).all()


W = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
RULES = {
    "AddBackward0": lambda x: x + x.flip(0),
    "AddmmBackward0": lambda x: torch.addmm(x[0, :3], x, W),
    "AliasBackward0": lambda x: torch.ops.aten.alias(x),
    "CatBackward0": lambda x: torch.cat([x, 2 * x]),
    "CloneBackward0": lambda x: x.clone(),
    "DivBackward0": lambda x: x / (2 + x.flip(0) ** 2),
    "EluBackward0": F.elu,
    "ExpBackward0": torch.exp,
    "ExpandBackward0": lambda x: x.expand(2, 5, 4),
    "GeluBackward0": F.gelu,
    "LeakyReluBackward0": F.leaky_relu,
    "LogBackward0": lambda x: (x**2 + 1).log(),
    "MeanBackward1": lambda x: x.mean(dim=1),
    "MmBackward0": lambda x: x @ W,
    "MulBackward0": lambda x: x * x.flip(0),
    "NegBackward0": torch.neg,
    "PermuteBackward0": lambda x: x.permute(1, 0),
    "PowBackward0": lambda x: x**3,
    "ReluBackward0": F.relu,
    "SelectBackward0": lambda x: x[1],
    "SigmoidBackward0": torch.sigmoid,
    "SiluBackward0": F.silu,
    "SliceBackward0": lambda x: x[1:3],
    "SoftplusBackward0": F.softplus,
    "SqrtBackward0": lambda x: (x**2 + 1).sqrt(),
    "SqueezeBackward0": lambda x: x[:, None].squeeze(),
    "SqueezeBackward1": lambda x: x[:, None].squeeze(1),
    "StackBackward0": lambda x: torch.stack([x, x]),
    "SubBackward0": lambda x: x - x.flip(0) ** 2,
    "SumBackward0": torch.sum,
    "SumBackward1": lambda x: x.sum(dim=0),
    "TBackward0": lambda x: x.t(),
    "TanhBackward0": torch.tanh,
    "ToCopyBackward0": lambda x: x.double(),
    "TransposeBackward0": lambda x: x.transpose(0, 1),
    "UnsafeViewBackward0": lambda x: x.expand(2, 5, 4).mT.contiguous().mT @ W,
    "UnsqueezeBackward0": lambda x: x.unsqueeze(1),
    "ViewBackward0": lambda x: x.view(20),
}


def test_every_node_that_is_said_to_batch_is_tried():
    assert set(RULES) == BATCHES


@pytest.mark.parametrize("name", RULES)
def test_a_node_that_is_said_to_batch_has_a_rule(name):
    """K gradients at once equal K gradients, and PyTorch does not fall back to a loop."""
    torch.manual_seed(0)
    x = torch.randn(5, 4, requires_grad=True)
    y = RULES[name](x)
    assert name in {type(node).__name__ for node in graph_of([y]).nodes}
    seeds = torch.randn(3, *y.shape, dtype=y.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = torch.func.vmap(lambda seed: torch.autograd.grad(y, x, seed, retain_graph=True)[0])(seeds)
    expected = [torch.autograd.grad(y, x, seed, retain_graph=True)[0] for seed in seeds]
    assert_close(found, torch.stack(expected))


@pytest.mark.needs("seen_hooks")
def test_the_zoo_takes_every_kind_of_layer_and_pass():
    kinds, passes = set(), set()
    for make in ARCHITECTURES:
        torch.manual_seed(3)
        case = make()
        balancer = eq.Balancer(Tilted(), case.model, tasks=list(case.losses), route="factored")
        balancer(case.losses).backward()
        first, *parts = balancer.record.route.splitlines()
        passes.add(first)
        kinds |= {part.split(": factors, ")[1].split(" for which")[0] for part in parts if ": factors, " in part}
    assert kinds == {
        "linear",
        "embedding",
        "embedding and linear",
        "linear and transposed linear",
        "embedding, linear and transposed linear",
        "embedding bag",
        "embedding bag of maxima",
        "convolution",
    }
    assert passes >= {
        f"factored: one b{x}" for x in ("ackward pass per task", "atched backward pass below the join of the tasks")
    }


class Changing(nn.Module):
    """A trunk whose second layer may be skipped, tied to the first or followed by the second again."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(8, 900), nn.Linear(900, 900)
        self.a, self.b = nn.Linear(900, 1), nn.Linear(900, 1)

    def forward(self, x, way):
        z = torch.tanh(self.first(x))
        for _ in range(way):
            z = torch.tanh(self.second(z))
        return {"a": self.a(z).square().mean(), "b": (self.b(z) - 1).square().mean()}


@pytest.mark.needs("seen_hooks")
def test_layers_are_looked_for_once_where_rows_cost_less_and_again_for_another_graph(monkeypatch):
    torch.manual_seed(0)
    net, looked = Changing(), []
    balancer = eq.Balancer(eq.MGDA(), net, tasks=["a", "b"])
    layers_among = plan.layers_among
    monkeypatch.setattr(plan, "layers_among", lambda *given: looked.append(1) or layers_among(*given))
    steps = [
        (600, 1, 1),
        (600, 1, 0),
        (601, 1, 1),
        (600, 2, 1),
        (600, 0, 1),
        (600, 2, 0),
        (8, 1, 1),
        (8, 1, 1),
        (600, 1, 0),
    ]
    for number, (samples, way, looks) in enumerate(steps):
        looked.clear()
        x = torch.randn(samples, 8)
        net.zero_grad()
        balancer(net(x, way)).backward()
        assert len(looked) == looks, number
        assert balancer.record.route.startswith("factored" if samples == 8 else "rows"), number
        found = [p.grad for p in net.first.parameters()]
        weights = balancer.record.weights
        losses = net(x, way)
        expected = torch.autograd.grad(
            sum(weights[k] * loss for k, loss in losses.items()), list(net.first.parameters())
        )
        assert_close(found, list(expected), rtol=1e-4, atol=1e-6)


def test_of_many_structures_the_oldest_is_forgotten():
    known = plan.KnownRows()
    for number in range(100):
        known.note(number, ["rows"])
    assert list(known) == list(range(84, 100))


@pytest.mark.needs("seen_hooks")
def test_a_hook_of_a_parameter_at_which_tasks_join_runs_once(net):
    penalised, heard = nn.Linear(2, 2), []
    balancer = eq.Balancer(eq.MGDA(), nn.ModuleList([net, penalised]), tasks=["a", "b"], route="factored")
    losses = {name: loss + penalised.weight.norm() for name, loss in net(torch.randn(4, 8)).items()}
    penalised.weight.register_hook(heard.append)
    balancer(losses).backward()
    assert balancer.record.route.startswith("factored: one batched")
    assert_close(heard, [penalised.weight.grad])
