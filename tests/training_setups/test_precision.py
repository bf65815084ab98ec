"""Low precision, and scaled losses: the decision is that of unscaled gradients, the noise that of the format."""

import copy

import pytest
import torch
from plain_autograd import (
    GRADIENT_METHODS,
    METHODS,
    NAMES,
    bound,
    data_of,
    error,
    gradients_of,
    losses_of,
    net_of,
    reference,
)
from torch.testing import assert_close

import equipoise as eq

CONTINUOUS = [name for name in METHODS if name != "graddrop"]  # whose gradient is a continuous function of the rows


def balanced(net, name, out_of=None, **arguments):
    """One backward of the whole batch."""
    x, targets = data_of()
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES, **arguments)
    losses = losses_of((out_of or net)(x), targets)
    balancer(losses).backward()
    return balancer


def expected_of(net, name):
    x, targets = data_of()
    return reference(bound(METHODS[name]), losses_of(net(x), targets), net)


# Autocast


def under_autocast(net, dtype):
    def forward(x):
        with torch.autocast("cpu", dtype):
            out = net(x)
        return {name: value.float() for name, value in out.items()}

    return forward


@pytest.mark.parametrize("route", ["auto", "rows"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", METHODS)
def test_autocast_balances_its_own_gradients_exactly(name, dtype, route):
    """Against plain autograd on the same low-precision graph: what is left is the last bit of the format."""
    net = net_of()
    x, targets = data_of()
    expected = reference(bound(METHODS[name]), losses_of(under_autocast(net, dtype)(x), targets), net)
    balanced(net, name, under_autocast(net, dtype), route=route)
    exact = name in GRADIENT_METHODS and (route == "rows" or name == "graddrop")  # one pass rounds the sum
    assert error(gradients_of(net), expected) < (1e-5 if exact else 2 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name", CONTINUOUS)
def test_autocast_is_near_full_precision(name, dtype):
    net = net_of()
    balanced(net, name, under_autocast(net, dtype))
    assert error(gradients_of(net), expected_of(net, name)) < 16 * torch.finfo(dtype).eps


# Parameters of other formats


@pytest.mark.parametrize("name", METHODS)
def test_float64_is_float64(name):
    net = net_of().double()
    x, targets = data_of()
    targets = {k: t.double() if t.is_floating_point() else t for k, t in targets.items()}
    expected = reference(bound(METHODS[name]), losses_of(net(x.double()), targets), net)
    eq.Balancer(METHODS[name](), net, tasks=NAMES)(losses_of(net(x.double()), targets)).backward()
    assert all(g.dtype == torch.float64 for g in gradients_of(net))
    # a user's loss is rounded to float32 nowhere; UW's log-variances are float32 parameters
    assert error(gradients_of(net), expected) < (1e-6 if name == "uw" else 1e-12)


@pytest.mark.parametrize("name", CONTINUOUS)
def test_bfloat16_parameters(name):
    net = net_of().bfloat16()
    full = copy.deepcopy(net).float()
    balanced(net, name, lambda x: {k: v.float() for k, v in net(x.bfloat16()).items()})
    assert all(g.dtype == torch.bfloat16 for g in gradients_of(net))
    assert error(gradients_of(net), expected_of(full, name)) < 16 * torch.finfo(torch.bfloat16).eps


@pytest.mark.parametrize("name", CONTINUOUS)
def test_parameters_of_three_dtypes_in_one_trunk(name):
    net = net_of()
    net.trunk[2].double()
    net.heads["b"].bfloat16()
    full = copy.deepcopy(net).double()

    def mixed(x):
        z = torch.tanh(net.trunk[2](torch.tanh(net.trunk[0](x)).double())).float()
        return {k: (head(z.bfloat16()) if k == "b" else head(z)).float() for k, head in net.heads.items()}

    x, targets = data_of()
    wide = {k: t.double() if t.is_floating_point() else t for k, t in targets.items()}
    expected = reference(bound(METHODS[name]), losses_of(full(x.double()), wide), full)
    balanced(net, name, mixed)
    assert [p.grad.dtype for p in net.parameters()] == [p.dtype for p in net.parameters()]
    assert error(gradients_of(net), expected) < 16 * torch.finfo(torch.bfloat16).eps


def test_a_coordinate_method_says_that_it_needs_one_dtype():
    net = net_of()
    net.trunk[2].double()
    x, targets = data_of()
    z = torch.tanh(net.trunk[2](torch.tanh(net.trunk[0](x)).double())).float()
    balancer = eq.Balancer(eq.GradDrop(), net, tasks=NAMES)
    with pytest.raises(ValueError, match="one dtype"):
        balancer(losses_of(net.apply_heads(z), targets)).backward()


# GradScaler


def half(net, x):
    with torch.autocast("cpu", torch.float16):
        return net(x)


def train(net, balancer, steps, scale, blow_up=(), clip=None):
    """Steps of fp16 training; those named have an inf in a loss."""
    x, targets = data_of()
    optimizer = torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.05, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    for step in range(steps):
        optimizer.zero_grad()
        losses = losses_of({k: v.float() for k, v in half(net, x).items()}, targets)
        if step in blow_up:
            losses["b"] = losses["b"] * torch.inf
        scaler.scale(balancer(losses)).backward()
        if clip is not None:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
    return scaler


@pytest.mark.parametrize("name", METHODS)
def test_the_loss_scale_changes_neither_weights_nor_the_gramian_nor_the_steps(name):
    results = []
    for scale in (2.0**4, 2.0**10):
        net = net_of()
        balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES, probe_every=1)
        train(net, balancer, 3, scale)
        results.append((balancer.record.weights, balancer.record.gramian, [p.detach() for p in net.parameters()]))
    # half-precision gradients below 6e-8 are rounded off at the smaller scale
    assert_close(results[0], results[1], rtol=1e-3, atol=1e-4)


def test_the_gramian_is_that_of_unscaled_gradients():
    net = net_of()
    x, targets = data_of()
    rows = [
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, list(net.trunk.parameters()), retain_graph=True)])
        for loss in losses_of(net(x), targets).values()
    ]
    jacobian = torch.stack(rows).double()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=NAMES)
    torch.amp.GradScaler("cpu", init_scale=2.0**14).scale(balancer(losses_of(net(x), targets))).backward()
    assert_close(balancer.record.gramian, jacobian @ jacobian.T, rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_an_overflow_skips_the_step_and_leaves_the_state(name):
    net = net_of()
    balancer = eq.Balancer(eq.Chain(eq.RunningNorm(), METHODS[name]()), net, tasks=NAMES)
    train(net, balancer, 2, 2.0**8)
    state, before = copy.deepcopy(balancer.method.state_dict()), copy.deepcopy(net.state_dict())
    scaler = train(net, balancer, 1, 2.0**8, blow_up=[0])
    assert scaler.get_scale() == 2.0**7
    assert balancer.record.skipped
    assert_close(net.state_dict(), before, rtol=0, atol=0)
    assert_close(balancer.method.state_dict(), state, rtol=0, atol=0)


@pytest.mark.parametrize("name", GRADIENT_METHODS)
def test_a_scale_too_large_for_float16_is_found_by_skipping(name):
    """From a scale at which half-precision gradients overflow, down to one at which training goes on."""
    net = net_of()
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    before = copy.deepcopy(net.state_dict())
    scaler = train(net, balancer, 1, 2.0**24)
    assert scaler.get_scale() == 2.0**23
    assert_close(net.state_dict(), before, rtol=0, atol=0)
    scaler = train(net, balancer, 16, 2.0**24)
    assert scaler.get_scale() < 2.0**20
    assert not balancer.record.skipped
    assert all(p.isfinite().all() for p in net.parameters())
    assert not torch.equal(net.trunk[0].weight, before["trunk.0.weight"])


@pytest.mark.parametrize("name", CONTINUOUS)
def test_clipping_unscaled_gradients_in_float16(name):
    results = []
    for scale in (2.0**4, 2.0**10):
        net = net_of()
        train(net, eq.Balancer(METHODS[name](), net, tasks=NAMES), 3, scale, clip=0.1)
        results.append([p.detach() for p in net.parameters()])
    assert_close(results[0], results[1], rtol=1e-3, atol=1e-4)
