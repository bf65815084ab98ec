"""The doctor's numbers, its findings, and that it leaves no trace."""

import contextlib
import copy
import io
import math
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise.doctor import examine
from equipoise.doctor.findings import Seen, of_heads
from equipoise.step import take_step

NAMES = ["a", "b", "c"]
PAGE = Path(__file__).parent.parent / "docs" / "doctor.md"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(3, 5)
        self.neck = nn.Sequential(nn.Linear(5, 4), nn.Dropout(0.5))
        self.heads = nn.ModuleDict({name: nn.Linear(4, 2) for name in NAMES})

    def forward(self, x):
        z = self.neck(torch.tanh(self.encoder(x)))
        return {name: head(z) for name, head in self.heads.items()}


@pytest.fixture
def net():
    torch.manual_seed(0)
    return Net().eval()


X = torch.linspace(-1, 1, 18).view(6, 3)


def losses_of(net, **scales):
    outputs = net(X)
    return {name: scales.get(name, 1.0) * (outputs[name] - k).square().mean() for k, name in enumerate(NAMES)}


def balancer_of(net, method=None, tasks=NAMES, **options):
    usual = eq.Sum() if isinstance(tasks, dict) else eq.MGDA()
    return eq.Balancer(method or usual, net, tasks=tasks, **options)


def rows_of(losses, parameters):
    """The jacobian, taken naively."""
    rows = []
    for loss in losses:
        gradients = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        rows.append(
            torch.cat(
                [
                    (torch.zeros_like(p) if g is None else g).flatten()
                    for p, g in zip(parameters, gradients, strict=True)
                ]
            )
        )
    return torch.stack(rows).double()


def findings(net, losses, optimizer=None, balancer=None, **options):
    return examine(net, balancer or balancer_of(net), losses, optimizer, **options).findings


def named(found, words):
    return [finding for finding in found if words in finding]


# Numbers


def test_norms_and_cosines_are_those_of_the_jacobian(net):
    losses = losses_of(net, b=3.0)
    report = examine(net, balancer_of(net, tasks={"a": 1.0, "b": 1.0, "c": 2.0}), losses)
    weighted = [losses["a"], losses["b"], 2.0 * losses["c"]]
    shared = [*net.encoder.parameters(), *net.neck.parameters()]
    rows = rows_of(weighted, shared)
    assert_close(report.gramian, rows @ rows.mT)
    assert_close(torch.tensor(list(report.norms.values())), rows.norm(dim=1).float())
    assert_close(report.cosines, torch.nn.functional.normalize(rows) @ torch.nn.functional.normalize(rows).mT)
    singular = torch.linalg.svdvals(rows)
    assert report.condition_number == pytest.approx(float(singular[0] / singular[-1]), rel=1e-3)
    for module in ("encoder", "neck"):
        rows = rows_of(weighted, list(getattr(net, module).parameters()))
        assert_close(report.modules[module], rows @ rows.mT)
        unit = torch.nn.functional.normalize(rows)
        assert_close(report.cosines_of(module), unit @ unit.mT)
    assert list(report.modules) == ["encoder", "neck"]
    for layer, gramian in report.layers.items():
        rows = rows_of(weighted, list(net.get_submodule(layer).parameters(recurse=False)))
        assert_close(gramian, rows @ rows.mT)
    assert_close(torch.stack(list(report.layers.values())).sum(dim=0), report.gramian)
    own = [
        rows_of([loss], list(net.heads[name].parameters())).norm() for name, loss in zip(NAMES, weighted, strict=True)
    ]
    assert_close(torch.tensor(list(report.own_norms.values())), torch.stack(own).float())
    assert report.losses == {name: loss.item() for name, loss in losses.items()}


@pytest.mark.parametrize(
    "make",
    [
        eq.MGDA,
        eq.NashMTL,
        eq.UW,
        lambda: eq.Chain(eq.UW(), eq.PCGrad()),
        lambda: eq.Every(3, eq.CAGrad()),
        eq.LRAnnealing,
        eq.ExcessMTL,
        lambda: eq.Chain(eq.UW(), eq.UnitNorm(), eq.Smooth(0.9, eq.LRAnnealing())),
    ],
)
def test_the_methods_weights_are_those_of_the_step_that_follows(net, make):
    balancer = balancer_of(net, make())
    balancer(losses_of(net)).backward()
    losses = losses_of(net, a=5.0)
    report = examine(net, balancer, losses)
    balancer(losses).backward()
    assert report.weights == pytest.approx(balancer.record.weights, rel=1e-5)


@pytest.mark.parametrize("where", ["gramian_from", "representation"])
def test_the_methods_weights_are_those_of_where_gradients_are_compared(net, where):
    z = torch.tanh(net.encoder(X))
    outputs = {name: head(net.neck(z)) for name, head in net.heads.items()}
    losses = {name: (k + 1.0) * (outputs[name] - k).square().mean() for k, name in enumerate(NAMES)}
    options = {"gramian_from": net.neck} if where == "gramian_from" else {}
    at = {"representation": z} if where == "representation" else {}
    balancer = balancer_of(net, eq.NashMTL(), **options)
    report = examine(net, balancer, losses, **at)
    elsewhere = examine(net, balancer_of(net, eq.NashMTL()), losses)
    balancer(losses, **at).backward()
    assert report.weights == pytest.approx(balancer.record.weights, rel=1e-5)
    assert report.weights != pytest.approx(elsewhere.weights, rel=1e-2)
    assert_close(report.gramian, elsewhere.gramian)  # the page shows everything shared all the same


def test_suggested_weights_make_all_gradients_equally_long(net):
    report = examine(net, balancer_of(net, tasks={"a": 4.0, "b": 1.0, "c": 0.1}), losses_of(net, a=100.0))
    assert sum(report.suggestion.values()) / 3 == pytest.approx(1.0)
    norms = examine(net, balancer_of(net, tasks=report.suggestion), losses_of(net, a=100.0)).norms
    assert list(norms.values()) == pytest.approx([norms["a"]] * 3)


@pytest.mark.parametrize("scale", [0.0, math.inf])
def test_nothing_is_suggested_without_comparable_gradients(net, scale):
    assert examine(net, balancer_of(net), losses_of(net, a=scale)).suggestion == {}
    assert examine(net, balancer_of(net, tasks=["a"]), {"a": losses_of(net)["a"]}).suggestion == {}


# Who reaches what


def test_parts_that_share_a_fate_share_a_line(net):
    net.spare = nn.Linear(2, 2)
    net.encoder.requires_grad_(False)
    held = [*net.neck.parameters(), net.heads["a"].weight, *net.heads["b"].parameters(), *net.heads["c"].parameters()]
    report = examine(net, balancer_of(net), losses_of(net), torch.optim.SGD(held, lr=0.1))
    lines = {line.name: (line.tasks, line.frozen, line.held, line.numbers) for line in report.reach}
    assert lines == {
        "encoder.*": ((), True, False, 20),
        "neck.*": (("a", "b", "c"), False, True, 24),
        "heads.a.weight": (("a",), False, True, 8),
        "heads.a.bias": (("a",), False, False, 2),
        "heads.b.*": (("b",), False, True, 10),
        "heads.c.*": (("c",), False, True, 10),
        "spare.*": ((), False, False, 6),
    }
    assert sum(line.numbers for line in report.reach) == sum(p.numel() for p in net.parameters())


def test_a_model_of_one_fate_is_one_line():
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    losses = {"a": net(X).square().mean(), "b": net(X).mean()}
    (line,) = examine(net, balancer_of(net, tasks=["a", "b"]), losses).reach
    assert (line.name, line.tasks, line.held) == ("*", ("a", "b"), None)


# No trace


def numbers(net, balancer):
    state = {
        **net.state_dict(),
        **{f"b.{k}": v for k, v in balancer.state_dict().items() if isinstance(v, torch.Tensor)},
    }
    return {name: value.clone() for name, value in state.items()}


class Dice(eq.Weighting):
    """A user's method that draws from the numbers that all of torch draws from."""

    def forward(self, losses, tasks):
        return (torch.rand(len(losses)) * losses).sum()


@pytest.mark.parametrize(
    "make", [Dice, eq.PCGrad, eq.RLW, eq.UW, eq.DWA, lambda: eq.Chain(eq.RunningNorm(), eq.GradVac())]
)
@pytest.mark.parametrize("time", [False, True])
def test_a_look_changes_nothing_and_the_step_goes_on(net, make, time):
    balancer = balancer_of(net, make())
    balancer(losses_of(net)).backward()
    net.zero_grad()
    balancer.zero_grad()
    twin, its = copy.deepcopy((net, balancer))
    heard = []
    for p in net.parameters():
        p.register_hook(lambda g: heard.append(g) or g)
    losses = losses_of(net)
    before, extra = numbers(net, balancer), balancer.get_extra_state()
    draws = torch.get_rng_state()
    record = balancer.record
    examine(net, balancer, losses, torch.optim.SGD(net.parameters(), lr=0.1), time=time)
    assert torch.equal(torch.get_rng_state(), draws)
    after = numbers(net, balancer)
    assert all(torch.equal(after[name].nan_to_num(), value.nan_to_num()) for name, value in before.items())
    assert balancer.get_extra_state() == extra
    assert balancer.record is record
    assert not heard
    assert all(p.grad is None for p in [*net.parameters(), *balancer.parameters()])
    balancer(losses).backward()
    torch.set_rng_state(draws)
    its(losses_of(twin)).backward()
    for p, q in zip(net.parameters(), twin.parameters(), strict=True):
        assert torch.equal(p.grad, q.grad)


def test_gradients_that_were_there_stay(net):
    losses_of(net)["a"].backward()
    before = [None if p.grad is None else p.grad.clone() for p in net.parameters()]
    found = findings(net, losses_of(net))
    assert all(
        p.grad is None if g is None else torch.equal(p.grad, g) for p, g in zip(net.parameters(), before, strict=True)
    )
    assert named(found, "there are gradients already")


# Findings, and their innocent neighbours


def test_a_healthy_step_has_no_findings(net):
    optimizer = torch.optim.AdamW(net.parameters())
    weights = examine(net, balancer_of(net, eq.Sum()), losses_of(net)).suggestion
    found = findings(net, losses_of(net), optimizer, balancer_of(net, eq.Sum(), weights))
    assert [finding for finding in found if "conflict in this batch" not in finding] == []


def test_what_the_optimiser_lacks_is_found(net):
    balancer = balancer_of(net, eq.UW())
    found = findings(net, losses_of(net), torch.optim.SGD(net.neck.parameters(), lr=0.1), balancer)
    assert named(found, "encoder.*, heads.a.*, heads.b.*, heads.c.* have a gradient and are in no optimiser")
    assert named(found, "method.log_variance of the balancer are learned and in no optimiser")
    several = [torch.optim.SGD(part.parameters(), lr=0.1) for part in (net.encoder, net.neck, net.heads, balancer)]
    assert not named(findings(net, losses_of(net), several, balancer), "in no optimiser")


def test_an_optimiser_of_another_model_is_found(net):
    found = findings(net, losses_of(net), torch.optim.SGD(copy.deepcopy(net).parameters(), lr=0.1))
    assert named(found, "the optimiser holds no parameter of this model")


def test_decay_of_learned_weights_is_found(net):
    balancer = balancer_of(net, eq.UW())
    both = [*net.parameters(), *balancer.parameters()]
    assert named(findings(net, losses_of(net), torch.optim.AdamW(both), balancer), "weight decay of 0.01")
    assert not named(findings(net, losses_of(net), torch.optim.Adam(both), balancer), "weight decay")


def test_a_balancer_that_was_not_restored_is_found(net):
    optimizer = torch.optim.Adam(net.parameters())
    for _ in range(3):
        losses_of(net)["a"].backward()
        optimizer.step()
    net.zero_grad()
    fresh, stateless = balancer_of(net, eq.RLW()), balancer_of(net, eq.Sum())
    assert named(findings(net, losses_of(net), optimizer, fresh), "3 steps and the balancer none")
    assert not named(findings(net, losses_of(net), optimizer, stateless), "the balancer none")
    fresh.set_extra_state({**fresh.get_extra_state(), "steps": 3})
    assert not named(findings(net, losses_of(net), optimizer, fresh), "the balancer none")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda net, losses: losses | {"a": losses["a"] * math.inf}, "the loss of 'a' is inf"),
        (lambda net, losses: losses | {"a": losses["a"] * 0}, "a have no gradient by the shared"),
        (lambda net, losses: losses | {"a": losses["a"] * 1e3}, "times as long as that of"),
        (lambda net, losses: losses | {"a": losses["b"] * 2}, "'a' and 'b' have parallel gradients"),
        (lambda net, losses: losses | {"a": -losses["b"]}, "'a' and 'b' conflict in this batch (cosine -1.00)"),
        (lambda net, losses: losses | {"a": net.heads["a"](X.new_ones(4)).sum()}, "a share no parameter with"),
        (lambda net, losses: {name: losses[name] for name in "ab"}, "heads.c.* are reached by no loss"),
        (
            lambda net, losses: losses | {"a": (net.encoder(X)[:, :1] * 0 + net.encoder(X)).sqrt().sum()},
            "the loss of 'a' is nan",
        ),
    ],
)
def test_what_is_odd_about_a_step_is_found(net, change, words):
    assert named(findings(net, change(net, losses_of(net))), words)
    weights = examine(net, balancer_of(net), losses_of(net)).suggestion
    healthy = findings(net, {name: loss * weights[name] for name, loss in losses_of(net).items()})
    assert not named(healthy, words)


def test_a_gradient_that_overflows_is_found(net):
    losses = losses_of(net)
    losses["a"] = (net(X)["a"] * 0).sum().abs().sqrt() + losses["a"]
    assert named(findings(net, losses), "the gradient of 'a' is not finite though its loss is")


def test_weights_that_were_applied_before_are_found(net):
    weighted = balancer_of(net, eq.Sum(), {"a": 0.5, "b": 1.0, "c": 1.0})
    assert named(findings(net, losses_of(net, a=0.5), None, weighted), "the loss of a multiplies by the very weight")
    assert not named(findings(net, losses_of(net, a=0.4), None, weighted), "the very weight")


def test_joined_heads_are_found(net):
    outputs = torch.cat(list(net(X).values()), dim=1)
    outputs = outputs @ torch.eye(outputs.shape[1])
    joined = {name: (outputs[:, k] - k).square().mean() for k, name in enumerate(NAMES)}
    found = named(findings(net, joined), "one alone has a gradient there")
    assert found
    assert "heads" in found[0]
    assert "encoder" not in found[0]


def test_a_method_that_gives_all_to_one_task_is_found(net):
    loss = losses_of(net)["a"]
    uneven = {"a": loss, "b": loss * 100.0, "c": loss * 10.0}
    assert named(findings(net, uneven), "MGDA() gives all weight to 'a'")
    assert not named(findings(net, losses_of(net), None, balancer_of(net, eq.NashMTL())), "all weight")


def test_opposed_gradients_whose_sum_is_rounded_below_zero_are_no_finding(net):
    balancer, half, ones = (
        balancer_of(net, eq.MGDA(), ["a", "b"]),
        torch.full((2,), 0.5).double(),
        torch.ones(2).double(),
    )
    opposed = torch.tensor([[1.0, -1.0 - 1e-12], [-1.0 - 1e-12, 1.0]], dtype=torch.float64)
    losses = losses_of(net)
    step = take_step(balancer.user_weights, {"a": losses["a"], "b": losses["b"]}, None)
    assert of_heads(Seen(balancer, step, [], {}, gramian=opposed, weights=half, own=ones)) == []


def test_raw_heads_that_clipping_would_favour_are_found(net):
    losses = losses_of(net, a=1e4)
    report = examine(net, balancer_of(net), losses)
    (found,) = named(report.findings, "the heads keep raw gradients")
    assert "that of 'a' the longest" in found
    # as long as they are after a backward, all heads beside all that is shared
    balancer_of(net)(losses).backward()
    norms = [math.sqrt(sum(float(p.grad.square().sum()) for p in part.parameters())) for part in (net.heads, net)]
    shared = math.sqrt(norms[1] ** 2 - norms[0] ** 2)
    assert_close(float(re.search(r"([\d.e+]+) times", found)[1]), norms[0] / shared, rtol=0.01, atol=0)
    assert not named(findings(net, losses_of(net)), "the heads keep raw gradients")
    assert not named(findings(net, losses_of(net, a=1e4), None, balancer_of(net, heads="weighted")), "the heads keep")
    assert not named(findings(net, losses_of(net, a=1e4), None, balancer_of(net, eq.Sum())), "the heads keep")


def test_a_loss_that_a_method_does_not_take_is_found(net):
    losses = losses_of(net)
    losses["b"] = losses["b"] * 0 - 1
    report = examine(net, balancer_of(net, eq.GLS()), losses)
    assert named(report.findings, "needs positive losses")
    assert report.weights == {}


def test_another_model_is_found(net):
    other = copy.deepcopy(net)
    report = examine(other, balancer_of(net), losses_of(net))
    assert named(report.findings, "no loss reaches a parameter of this model")
    found = findings(net, losses_of(net), None, balancer_of(other))
    assert named(found, "no loss reaches any of the parameters")


def test_a_graph_of_one_pass_is_read_without_gradients(net):
    z = torch.utils.checkpoint.checkpoint(net.encoder, X.clone().requires_grad_(), use_reentrant=True)
    losses = {name: head(net.neck(z)).square().mean() for name, head in net.heads.items()}
    report = examine(net, balancer_of(net, eq.UW()), losses)
    assert named(report.findings, "gradients of single tasks cannot be measured: reentrant")
    assert report.gramian is None
    assert report.norms == {}
    assert "no loss" in str(report)
    sum(losses.values()).backward()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda net: examine(net, eq.MGDA(), losses_of(net)), "balancer must be a Balancer, got MGDA"),
        (lambda net: examine(net, balancer_of(net), {}), "losses is empty"),
        (lambda net: examine(net, balancer_of(net), {"d": losses_of(net)["a"]}), "no task 'd'"),
        (lambda net: examine(net, balancer_of(net), {"a": torch.zeros(())}), "has no graph"),
    ],
)
def test_bad_arguments_are_named(net, call, words):
    with pytest.raises(ValueError, match=words):
        call(net)


# Costs


@pytest.mark.needs("seen_hooks")
def test_memory_of_rows_is_tasks_times_shared_numbers(net):
    costs = {cost.route: cost for cost in examine(net, balancer_of(net), losses_of(net)).costs}
    shared = sum(p.numel() for part in (net.encoder, net.neck) for p in part.parameters())
    assert costs["rows"].memory == costs["batched"].memory == 3 * shared * 4
    assert costs["plain sum"].memory == 0
    # both layers have 6 inputs: factors are gradients at 6 outputs, 5 and 4 wide
    assert costs["factored"].memory == 3 * 6 * (5 + 4) * 4
    assert all(cost.milliseconds is None for cost in costs.values())


def test_times_are_measured_on_request_and_a_refusal_is_shown(net):
    class Alone(torch.autograd.Function):
        """An operation without a batching rule."""

        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient * float(gradient.sum() * 0 + 1)

    z = net.neck(Alone.apply(torch.tanh(net.encoder(X))))
    losses = {name: head(z).square().mean() for name, head in net.heads.items()}
    report = examine(net, balancer_of(net), losses, representation=z, time=True)
    costs = {cost.route: cost for cost in report.costs}
    assert costs["batched"].milliseconds is None
    assert "the batched backward pass failed" in costs["batched"].refused
    assert all(
        cost.milliseconds > 0 for route, cost in costs.items() if route in ("plain sum", "rows", "representation")
    )
    assert costs["representation"].memory == 3 * z.numel() * 4
    assert "batched: the batched backward pass failed" in str(report)


# The page


@pytest.mark.parametrize("num_tasks", [1, 2, 12])
def test_a_page_is_at_most_100_columns_wide(num_tasks):
    net = nn.ModuleDict({"trunk": nn.Linear(3, 4), "heads": nn.ModuleList(nn.Linear(4, 1) for _ in range(num_tasks))})
    names = [f"a task with a long name {k}" for k in range(num_tasks)]
    z = net["trunk"](X)
    losses = {name: net["heads"][k](z).square().mean() * 10.0**k for k, name in enumerate(names)}
    text = str(examine(net, balancer_of(net, eq.PCGrad(), names), losses, torch.optim.SGD(net.parameters(), lr=0.1)))
    assert max(map(len, text.splitlines())) <= 100
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_it_prints_and_returns_the_report(net, capsys):
    report = eq.doctor(net, balancer_of(net), losses_of(net))
    assert capsys.readouterr().out == f"{report}\n"
    assert repr(report).startswith("<Report of 3 tasks")


@pytest.mark.needs("seen_hooks")
def test_the_documents_report_is_what_is_printed():
    text = PAGE.read_text()
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    shown = re.search(r"```python\n.*?```text\n(.*?)```", text, re.DOTALL)[1]
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, {})
    number = re.compile(r"-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?")
    assert number.sub("#", printed.getvalue()).split() == number.sub("#", shown).split()
    real, written = ([float(n.replace(",", "")) for n in number.findall(t)] for t in (printed.getvalue(), shown))
    assert real == pytest.approx(written, rel=0.02, abs=0.011)


def test_the_part_of_a_loss_that_conflicts_is_named(net):
    """Of a mixture, by its own words; gradients against those of the parts by themselves."""
    outputs = net(X)
    other = outputs["b"].square().mean()
    near, far = outputs["a"].square().mean(), -0.5 * outputs["b"].square().mean()
    mixture = eq.Task("a", loss=eq.losses.Mixed({"near": (1.0, lambda *_: near), "far": (2.0, lambda *_: far)}))
    losses = eq.Tasks([mixture, eq.Task("b", loss=lambda *_: other)]).losses(outputs, dict.fromkeys("ab", X))
    report = examine(net, balancer_of(net, tasks=["a", "b"]), losses)
    shared = [*net.encoder.parameters(), *net.neck.parameters(), *net.heads["b"].parameters()]
    assert [(part.task, part.name, part.against) for part in report.parts] == [("a", "near", "b"), ("a", "far", "b")]
    by_hand = rows_of([near, 2 * far], shared)
    assert [part.norm for part in report.parts] == pytest.approx([float(row.norm()) for row in by_hand], rel=1e-5)
    assert report.parts[1].cosine == pytest.approx(-1)
    assert any("of 'a' it is 'far' that conflicts with 'b' (cosine -1.00)" in finding for finding in report.findings)
    assert "lowest cosine" in str(report)


def test_parts_of_parts_and_penalties_on_parameters_have_their_names(net):
    """A mixture in a mixture; a penalty that is a sum over parameters is one part."""
    outputs = net(X)
    near, far = outputs["a"].square().mean(), -0.5 * outputs["b"].square().mean()
    inner = eq.losses.Mixed({"near": (1.0, lambda *_: near), "far": (2.0, lambda *_: far)})
    decay = lambda *_: sum(p.square().sum() for p in net.parameters())  # noqa: E731
    mixture = eq.Task("a", loss=eq.losses.Mixed({"both": (1.0, inner), "decay": (0.1, decay)}))
    tasks = eq.Tasks([mixture, eq.Task("b", loss=lambda *_: outputs["b"].square().mean())])
    report = examine(net, balancer_of(net, tasks=["a", "b"]), tasks.losses(outputs, dict.fromkeys("ab", X)))
    assert [part.name for part in report.parts] == ["both/near", "both/far", "decay"]
    assert any("of 'a' it is 'both/far' that conflicts" in finding for finding in report.findings)


def test_what_a_recorders_curves_show_is_found(net):
    norms = [(epoch, "train", "b", "gradient_norm", value) for epoch, value in ((1, 0.5), (9, 6e3))]
    fits = {"a": "over-fitting", "b": "neither", "c": "under-fitting"}
    recorder = SimpleNamespace(fits=fits, history=[*norms, (9, "validation", "b", "loss", 1.0)])
    report = examine(net, balancer_of(net), losses_of(net), recorder=recorder)
    plain = examine(net, balancer_of(net), losses_of(net))
    found = [finding.partition(":")[0] for finding in report.findings if finding not in plain.findings]
    assert found == [
        "over-fitting on 'a'",
        "under-fitting on 'c'",
        "the gradient of 'b' grew from 0.5 in the first recorded epoch to 6e+03 in the last",
    ]
