"""The delivered gradient is sum_k w_k g_k on shared parameters and g_k on heads, whatever the network."""

import pytest
import torch
from architectures import (
    ARCHITECTURES,
    HOOKED_ARCHITECTURES,
    NODE_HOOKED_ARCHITECTURES,
    NONLINEAR_ARCHITECTURES,
    SPARSE_ARCHITECTURES,
    Case,
    mlp,
    siamese,
    tied_encoder_decoder,
    tied_in_every_way,
    tied_language_model,
    tied_under_autocast,
)
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode

import equipoise as eq
from equipoise.aggregation import LossScale
from equipoise.gradients import routes
from equipoise.gradients.layers import layer


class Weights(eq.Aggregator):
    """Weights that depend on the gramian, so that a wrong gramian shows."""

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return (1.0 + gramian.sum(dim=1) / gramian.trace()) / (2.0 + torch.arange(len(gramian)))


def gradients_of(case, parameters):
    """One list of gradients per task, by plain autograd; None where a task does not reach a parameter."""
    return [
        torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True) for loss in case.losses.values()
    ]


def reference(case, heads, at=None):
    """Delivered gradients by their definition, and the gramian, from plain autograd in float64."""
    parameters = [p for p in case.model.parameters() if p.requires_grad]
    rows = gradients_of(case, parameters)
    enough = min(2, len(rows))
    shared = [i for i in range(len(parameters)) if sum(row[i] is not None for row in rows) >= enough]
    if at is None:
        measured = [[row[i] for i in shared] for row in rows]
        like = [parameters[i] for i in shared]
    else:
        measured, like = gradients_of(case, at), at
    jacobian = torch.stack(
        [
            torch.cat(
                [(torch.zeros_like(p) if g is None else g).double().flatten() for g, p in zip(row, like, strict=True)]
            )
            for row in measured
        ]
    )
    gramian = jacobian @ jacobian.T
    weights = Weights()(gramian, torch.zeros(len(rows), dtype=torch.float64))
    delivered = {}
    for i, parameter in enumerate(parameters):
        scales = weights.tolist() if i in shared or heads == "weighted" else [1.0] * len(rows)
        terms = [s * row[i].double() for s, row in zip(scales, rows, strict=True) if row[i] is not None]
        delivered[parameter] = sum(terms) if terms else None
    return delivered, gramian


def close(value, expected, parameter, tolerance):
    tolerance = 1e-6 if parameter.dtype == torch.float64 else tolerance
    assert_close(value.double(), expected, rtol=tolerance, atol=tolerance * float(expected.abs().max() + 1e-12))


def check(case, balancer, delivered, gramian, representation=None):
    balancer(case.losses, representation=representation).backward()
    exact = case.tolerance / 20
    assert_close(balancer.record.gramian, gramian, rtol=10 * exact, atol=exact * float(gramian.trace()))
    for parameter, expected in delivered.items():
        if expected is None:
            assert parameter.grad is None
        else:
            close(parameter.grad, expected, parameter, case.tolerance)


@pytest.mark.paired
@pytest.mark.parametrize("heads", ["raw", "weighted"])
def test_the_route_of_the_plan_delivers_its_definition(case, heads):
    delivered, gramian = reference(case, heads)
    balancer = eq.Balancer(Weights(), case.model, tasks=list(case.losses), heads=heads, route="auto")
    check(case, balancer, delivered, gramian)


@pytest.mark.paired
@pytest.mark.parametrize("heads", ["raw", "weighted"])
@pytest.mark.parametrize("route", ["rows", "batched", "factored", "low-memory"])
def test_rows_deliver_their_definition(case, heads, route):
    delivered, gramian = reference(case, heads)
    balancer = eq.Balancer(Weights(), case.model, tasks=list(case.losses), heads=heads, route=route)
    if route == "batched" and not case.batched:
        with pytest.raises(RuntimeError, match=r"route='rows'|not implemented for sparse tensors"):
            balancer(case.losses).backward()
    else:
        check(case, balancer, delivered, gramian)


@pytest.mark.paired
@pytest.mark.parametrize("heads", ["raw", "weighted"])
def test_a_representation_delivers_its_definition(case, heads):
    """The gramian is that at the representation; its weights hold for all shared parameters, also around it."""
    if case.representation is None:
        pytest.skip("this network has no single representation")
    delivered, gramian = reference(case, heads, at=[case.representation])
    balancer = eq.Balancer(Weights(), case.model, tasks=list(case.losses), heads=heads)
    check(case, balancer, delivered, gramian, case.representation)
    assert balancer.record.route == "representation"


@pytest.mark.paired
@pytest.mark.parametrize("heads", ["raw", "weighted"])
def test_chosen_parameters_deliver_their_definition(case, heads):
    rows = gradients_of(case, [p for p in case.model.parameters() if p.requires_grad])
    reached = [
        p
        for i, p in enumerate(p for p in case.model.parameters() if p.requires_grad)
        if sum(row[i] is not None for row in rows) == len(rows)
    ] or list(case.model["trunk"].parameters())
    chosen = reached[-2:]
    delivered, gramian = reference(case, heads, at=chosen)
    balancer = eq.Balancer(Weights(), case.model, tasks=list(case.losses), heads=heads, gramian_from=chosen)
    check(case, balancer, delivered, gramian)


def test_probing_measures_the_same_gramian_and_leaves_the_gradient_to_the_last_bit(case):
    parameters = [p for p in case.model.parameters() if p.requires_grad]
    expected = torch.autograd.grad(sum(case.losses.values()), parameters, retain_graph=True, allow_unused=True)
    _, gramian = reference(case, "raw")
    balancer = eq.Balancer(eq.Sum(), case.model, tasks=list(case.losses), probe_every=1)
    balancer(case.losses).backward()
    exact = case.tolerance / 20
    assert_close(balancer.record.gramian, gramian, rtol=10 * exact, atol=exact * float(gramian.trace()))
    for parameter, gradient in zip(parameters, expected, strict=True):
        assert (parameter.grad is None) == (gradient is None)
        assert gradient is None or torch.equal(parameter.grad, gradient)


def test_sum_equals_the_plain_backward_to_the_last_bit(case):
    parameters = [p for p in case.model.parameters() if p.requires_grad]
    plain = sum(case.losses.values())
    expected = torch.autograd.grad(plain, parameters, retain_graph=True, allow_unused=True)
    loss = eq.Balancer(eq.Sum(), case.model, tasks=list(case.losses))(case.losses)
    loss.backward()
    assert loss.item() == plain.item()
    for parameter, gradient in zip(parameters, expected, strict=True):
        assert gradient is None or torch.equal(parameter.grad, gradient)


class Tilted(eq.Aggregator):
    """Weights that do not depend on the gramian, so that routes can be compared at equal weights."""

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return 0.5 + tasks.to(gramian.dtype)


def delivered_by(route, make, dtype=torch.float32):
    """All gradients, and the gramian, of a network made in a precision."""
    torch.set_default_dtype(dtype)
    try:
        torch.manual_seed(3)
        case = make()
        balancer = eq.Balancer(Tilted(), case.model, tasks=list(case.losses), route=route)
        balancer(case.losses).backward()
    finally:
        torch.set_default_dtype(torch.float32)
    gradients = {name: p.grad for name, p in case.model.named_parameters() if p.grad is not None}
    return {"gramian": balancer.record.gramian, **gradients}, case


def furthest(found, expected):
    """The largest relative difference between two sets of tensors."""
    assert found.keys() == expected.keys()
    return max(
        float((found[name].double() - one.double()).norm() / (one.double().norm() + 1e-300))
        for name, one in expected.items()
        if one.any() or found[name].any()
    )


FLOAT32_ONLY = {"cast_weight", "indexed_embedding", "graph_convolution"}  # they name that dtype themselves


@pytest.mark.paired
@pytest.mark.parametrize("route", ["factored", "auto"])
@pytest.mark.parametrize(
    "make",
    [pytest.param(make, marks=[pytest.mark.slow] * bool(place % 3)) for place, make in enumerate(ARCHITECTURES)],
    ids=lambda make: make.__name__,
)
def test_no_route_differs_from_another(make, route):
    """At equal weights 1e-5 in float32, 1e-12 in float64; the rounding of rows to bfloat16 excepted."""
    expected, case = delivered_by("rows", make)
    limit = 1e-5 if case.tolerance == Case.tolerance else case.tolerance
    assert furthest(delivered_by(route, make)[0], expected) < limit
    if make.__name__ not in FLOAT32_ONLY and case.tolerance == Case.tolerance:
        exact = delivered_by("rows", make, torch.float64)[0]
        assert furthest(delivered_by(route, make, torch.float64)[0], exact) < 1e-12


PIECEWISE = [mlp, siamese, tied_language_model, tied_encoder_decoder, tied_under_autocast, tied_in_every_way]


@pytest.mark.parametrize("make", PIECEWISE, ids=lambda make: make.__name__)
def test_factors_too_large_to_be_copied_deliver_the_same(make, monkeypatch):
    expected, case = delivered_by("rows", make)
    monkeypatch.setattr(layer, "_MANY", 0)
    monkeypatch.setattr(layer, "_BLOCK", 40)
    monkeypatch.setattr(layer, "_NARROWEST", 1)
    monkeypatch.setattr(routes, "AT_ONCE", 2)
    assert furthest(delivered_by("factored", make)[0], expected) < max(1e-5, case.tolerance / 2)


@pytest.mark.needs("seen_hooks")
def test_the_products_of_many_tasks_are_those_of_their_gradients():
    """150 tasks: several blocks of the batched pass, several bands of the products, some tasks without a gradient."""
    num_tasks, generator = 150, torch.Generator().manual_seed(0)
    trunk = nn.Sequential(nn.Linear(8, 96), nn.Tanh(), nn.Linear(96, 80), nn.Tanh())
    heads = nn.ModuleList(nn.Linear(80, 1) for _ in range(num_tasks))
    known = torch.rand(16, num_tasks, generator=generator) < 0.3

    def losses_in(dtype):
        z = trunk.to(dtype)(torch.randn(16, 8, generator=generator.manual_seed(0)).to(dtype))
        return {f"t{k}": (head.to(dtype)(z)[known[:, k]] - 1).square().sum() for k, head in enumerate(heads)}

    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(trunk.parameters()), retain_graph=True)])
        for loss in losses_in(torch.float64).values()
    ]
    expected = torch.stack(rows) @ torch.stack(rows).mT
    losses = losses_in(torch.float32)
    balancer = eq.Balancer(Tilted(), nn.ModuleList([trunk, heads]), tasks=list(losses), route="factored")
    balancer(losses).backward()
    assert "one batched backward pass below the join" in balancer.record.route
    assert_close(balancer.record.gramian, expected, rtol=1e-4, atol=1e-6 * float(expected.diagonal().max()))


class Largest(TorchDispatchMode):
    """The most numbers of any tensor that is made."""

    numbers = 0

    def __torch_dispatch__(self, operation, types, args=(), kwargs=None):
        made = operation(*args, **(kwargs or {}))
        self.numbers = max(self.numbers, made.numel() if isinstance(made, Tensor) else 0)
        return made


@pytest.mark.needs("seen_hooks")
def test_no_copy_is_made_of_all_tasks_gradients_at_the_logits():
    table, tokens = nn.Embedding(70_000, 16), torch.arange(16)
    logits = F.linear(table(tokens), table.weight)
    losses = {"a": F.cross_entropy(logits, tokens), "b": F.cross_entropy(logits, tokens.flip(0)), "c": logits.mean()}
    balancer = eq.Balancer(Tilted(), table, tasks=list(losses))
    with Largest() as largest:
        balancer(losses).backward()
    assert "factors, embedding and linear" in balancer.record.route
    assert largest.numbers == logits.numel()


@pytest.mark.parametrize("make", HOOKED_ARCHITECTURES, ids=lambda make: make.__name__)
def test_a_hook_on_a_parameter_meets_the_same_gradient_on_every_route(make):
    expected, _ = delivered_by("rows", make)
    assert furthest(delivered_by("factored", make)[0], expected) < 1e-5


@pytest.mark.parametrize("route", ["rows", "factored"])
@pytest.mark.parametrize("make", NONLINEAR_ARCHITECTURES, ids=lambda make: make.__name__)
def test_a_backward_that_is_not_linear_is_run_for_each_task(make, route):
    torch.manual_seed(3)
    case = make()
    delivered, gramian = reference(case, "raw")
    check(case, eq.Balancer(Weights(), case.model, tasks=list(case.losses), route=route), delivered, gramian)


@pytest.mark.parametrize("make", NODE_HOOKED_ARCHITECTURES, ids=lambda make: make.__name__)
def test_hooks_on_nodes_are_heard_by_rows(make):
    """A known limit: factors never run the node between a weight and its product, and no one can see its hooks."""
    torch.manual_seed(3)
    case = make()
    delivered, gramian = reference(case, "raw")
    check(case, eq.Balancer(Weights(), case.model, tasks=list(case.losses), route="rows"), delivered, gramian)


@pytest.mark.needs("seen_hooks")
@pytest.mark.parametrize("make", SPARSE_ARCHITECTURES, ids=lambda make: make.__name__)
def test_sparse_tables_get_sparse_gradients_by_factors(make):
    torch.manual_seed(3)
    case = make()
    found, _ = delivered_by("factored", make)
    sparse = {name for name, gradient in found.items() if gradient.is_sparse}
    assert sparse
    parameters = dict(case.model.named_parameters())
    rows = [
        torch.autograd.grad(loss, list(parameters.values()), retain_graph=True, allow_unused=True)
        for loss in case.losses.values()
    ]
    for name in sparse:
        place = list(parameters).index(name)
        expected = sum((0.5 + k) * row[place].to_dense() for k, row in enumerate(rows))
        assert_close(found[name].to_dense(), expected, rtol=1e-5, atol=1e-6 * float(expected.abs().max()))
    with pytest.raises(ValueError, match="a sparse gradient has no row: use sparse=False"):
        delivered_by("rows", make)


@pytest.mark.parametrize("are_shared", [False, True], ids=["private", "shared"])
@pytest.mark.parametrize("method", [Weights, LossScale], ids=["measured", "reused"])
@pytest.mark.parametrize("route", ["rows", "batched", "factored", "low-memory"])
def test_what_is_added_to_a_gradient_is_added_to_no_other(route, method, are_shared):
    """Autograd's gradient by ``grid`` is a view of the one by ``bias``: as ``.grad`` they must not share memory."""
    sizes = {"trunk": (3, 6), "bias": (6,), "grid": (2, 3), "last": (6,)}
    trunk, bias, grid, last = leaves = [torch.randn(size, requires_grad=True) for size in sizes.values()]
    balancer = eq.Balancer(method(), leaves, tasks=["a", "b"], route=route)
    x, factors = torch.randn(3), torch.randn(6)

    def delivered():
        z = x @ trunk
        moved = z + bias + grid.view(6)
        losses = {"a": (moved * factors).sum().exp(), "b": ((moved if are_shared else z) * factors + last).sum()}
        balancer(losses).backward()
        return [leaf.grad.clone() for leaf in leaves]

    once, twice = delivered(), delivered()
    assert_close(twice, [2 * gradient for gradient in once])
    assert_close(once[2].view(6), once[1])


def test_a_gradient_is_changed_in_place_without_the_others():
    """Of few numbers all lie in one memory; a graph that needs one of them does not mind what happens to the next."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 2))
    a, b = net(torch.randn(8, 5)).unbind(1)
    balancer = eq.Balancer(eq.MGDA(), net, tasks=["a", "b"])
    balancer({"a": a.square().mean(), "b": (b - 1).abs().mean()}).backward()
    first, second, *_ = [parameter.grad for parameter in net.parameters()]
    rate = torch.tensor(1.0, requires_grad=True)
    total = (rate * first).sum()
    second.mul_(0.5)
    total.backward()
    assert_close(rate.grad, first.sum())
