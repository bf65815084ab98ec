"""At known weights one pass delivers sum_k w_k g_k on shared parameters and g_k on heads, whatever the network."""

import pytest
import torch
from architectures import (
    HOOKED_ARCHITECTURES,
    SPARSE_ARCHITECTURES,
    own_encoders,
    shared_by_some,
    skip_around,
    unbound_losses,
)
from torch import nn
from torch.testing import assert_close

import equipoise as eq


class Known(eq.Aggregator):
    """Weights that were decided elsewhere."""

    def __init__(self, factors):
        super().__init__()
        self.factors = factors

    def needs_gramian(self, tasks):
        return False

    def forward(self, gramian, losses, tasks):
        assert gramian.isnan().all()
        return torch.tensor([self.factors[int(k) % len(self.factors)] for k in tasks], dtype=torch.float64)


def naive(case, factors, heads):
    """sum_k w_k g_k, one autograd.grad each; unweighted on raw heads; None where nothing arrives."""
    given = [p for p in case.model.parameters() if p.requires_grad]
    rows = [torch.autograd.grad(x, given, retain_graph=True, allow_unused=True) for x in case.losses.values()]
    enough = min(2, len(rows))
    expected = {}
    for i, parameter in enumerate(given):
        reaching = [k for k, row in enumerate(rows) if row[i] is not None]
        weighted = len(reaching) >= enough or heads == "weighted"
        terms = [(factors[k % len(factors)] if weighted else 1.0) * rows[k][i].to_dense().double() for k in reaching]
        expected[parameter] = sum(terms) if terms else None
    return expected


def require_close(case, expected):
    for parameter, gradient in expected.items():
        if gradient is None:
            assert parameter.grad is None or not parameter.grad.any()
            continue
        tolerance = 1e-6 if parameter.dtype == torch.float64 else case.tolerance
        limit = tolerance * float(gradient.abs().max() + 1e-12)
        assert_close(parameter.grad.to_dense().double(), gradient, rtol=tolerance, atol=limit)


WEIGHTS = [[0.5, -1.5, 3.0], [0.0, 0.7, 0.0]]


@pytest.mark.paired
@pytest.mark.parametrize("factors", WEIGHTS)
@pytest.mark.parametrize("heads", ["raw", "weighted"])
def test_one_pass_delivers_the_definition(case, heads, factors):
    expected = naive(case, factors, heads)
    balancer = eq.Balancer(Known(factors), case.model, tasks=list(case.losses), heads=heads)
    balancer(case.losses).backward()
    require_close(case, expected)
    if balancer.record.route == "reused":  # unless no task reaches anything shared
        assert balancer.record.gramian is None
        assert list(balancer.record.weights.values()) == [factors[k % 3] for k in range(len(case.losses))]


@pytest.mark.parametrize("make", SPARSE_ARCHITECTURES, ids=lambda make: make.__name__)
def test_sparse_tables_get_sparse_gradients(make):
    torch.manual_seed(3)
    case = make()
    expected = naive(case, WEIGHTS[0], "raw")
    eq.Balancer(Known(WEIGHTS[0]), case.model, tasks=list(case.losses))(case.losses).backward()
    require_close(case, expected)
    assert any(p.grad.is_sparse for p in expected)


@pytest.mark.parametrize("make", HOOKED_ARCHITECTURES, ids=lambda make: make.__name__)
def test_a_hook_on_a_parameter_meets_the_combined_gradient_once(make):
    """As in steps that measure: with weights that do not need the gramian, both deliver the same."""

    class Measured(Known):
        def needs_gramian(self, tasks):
            return True

        def forward(self, gramian, losses, tasks):
            return super().forward(torch.full_like(gramian, torch.nan), losses, tasks)

    gradients = []
    for kind in (Known, Measured):
        torch.manual_seed(3)
        case = make()
        eq.Balancer(kind(WEIGHTS[0]), case.model, tasks=list(case.losses), route="rows")(case.losses).backward()
        gradients.append({name: p.grad for name, p in case.model.named_parameters()})
    assert_close(*gradients, rtol=1e-5, atol=1e-7)


def count_passes(monkeypatch):
    passes = []
    grad = torch.autograd.graph._engine_run_backward

    def counting(*arguments, **named):
        passes.append(arguments)
        return grad(*arguments, **named)

    monkeypatch.setattr(torch.autograd.graph, "_engine_run_backward", counting)
    return passes


@pytest.mark.parametrize("heads", ["raw", "weighted"])
@pytest.mark.parametrize("make", [skip_around, shared_by_some, own_encoders, unbound_losses])
def test_it_is_one_pass_also_where_tasks_join_at_several_places(make, heads, monkeypatch):
    torch.manual_seed(3)
    case = make()
    balancer = eq.Balancer(Known(WEIGHTS[0]), case.model, tasks=list(case.losses), heads=heads)
    passes = count_passes(monkeypatch)
    balancer(case.losses).backward()
    assert len(passes) == 1


def test_leaves_outside_get_the_total_s_gradient_and_where_tasks_share_one_by_a_second_pass(monkeypatch):
    torch.manual_seed(3)
    case = shared_by_some()
    common, alone = nn.Parameter(torch.randn(())), nn.Parameter(torch.randn(()))
    losses = {name: loss * common * (alone if name == "t1" else 1.0) for name, loss in case.losses.items()}
    expected = torch.autograd.grad(sum(losses.values()), [common, alone], retain_graph=True)
    balancer = eq.Balancer(Known(WEIGHTS[0]), case.model, tasks=list(losses))
    passes = count_passes(monkeypatch)
    balancer(losses).backward()
    assert_close([common.grad, alone.grad], list(expected))
    assert len(passes) == 2


def test_an_output_s_hook_is_heard_once_with_the_weighted_sum():
    torch.manual_seed(3)
    trunk, heads = nn.Linear(3, 4), nn.ModuleList([nn.Linear(4, 1), nn.Linear(4, 1)])
    z = trunk(torch.randn(5, 3))
    losses = {"a": heads[0](z).square().mean(), "b": heads[1](z).square().mean()}
    rows = [torch.autograd.grad(loss, z, retain_graph=True)[0] for loss in losses.values()]
    heard = []
    z.register_hook(heard.append)
    eq.Balancer(Known([2.0, -0.5]), nn.ModuleList([trunk, heads]), tasks=list(losses))(losses).backward()
    assert len(heard) == 1
    assert_close(heard[0], 2.0 * rows[0] - 0.5 * rows[1])


@pytest.mark.parametrize(("factor", "size"), [(1e-40, 1e25), (1e-20, 1e15), (1e20, 1e-25), (1e40, 1e-20)])
def test_weights_beyond_float32_are_applied(factor, size):
    x = nn.Parameter(torch.tensor([1.0, 2.0]))
    losses = {"a": (x * size).sum(), "b": (x * x * (0.5 * size)).sum()}
    eq.Balancer(Known([factor, 2 * factor]), [x], tasks=["a", "b"])(losses).backward()
    expected = size * factor * torch.tensor([3.0, 5.0], dtype=torch.float64)
    assert_close(x.grad.double(), expected, rtol=1e-6, atol=0.0)


def test_a_weight_of_zero_never_meets_an_infinite_gradient():
    """The first task's own nodes bring inf; nothing of it is delivered where tasks share."""
    x, own = nn.Parameter(torch.tensor([4.0])), nn.Parameter(torch.tensor([0.0]))
    losses = {"a": (x * 0.0 + own).sqrt().sum(), "b": (3 * x).sum()}
    balancer = eq.Balancer(Known([0.0, 2.0]), [x, own], tasks=["a", "b"])
    balancer(losses).backward()
    assert x.grad.tolist() == [6.0]
    assert own.grad.tolist() == [float("inf")]
    assert balancer.record.skipped


def test_a_kept_graph_is_kept_and_another_is_freed():
    torch.manual_seed(3)
    layer = nn.Linear(3, 2)
    for retain in (True, False):
        z = layer(torch.randn(4, 3)).tanh()
        losses = {"a": z[:, 0].square().sum(), "b": z[:, 1].square().sum()}
        loss = eq.Balancer(Known([1.0, 2.0]), layer, tasks=["a", "b"])(losses)
        loss.backward(retain_graph=retain)
        if retain:
            losses["a"].backward()
        else:
            with pytest.raises(RuntimeError, match="second time"):
                losses["a"].backward()
