"""What stands between a backward and a step: clipping, hooks, gradients already there, groups, scaling in place."""

import pytest
import torch
from plain_autograd import METHODS, NAMES, bound, data_of, error, gradients_of, losses_of, net_of, reference
from torch.testing import assert_close

import equipoise as eq

every_method = pytest.mark.parametrize("name", METHODS)


def balanced(net, name, factor=1.0):
    x, targets = data_of()
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    (balancer(losses_of(net(x), targets)) * factor).backward()
    return balancer


def expected_of(net, name):
    x, targets = data_of()
    return reference(bound(METHODS[name]), losses_of(net(x), targets), net)


@every_method
@pytest.mark.parametrize("kind", ["norm", "value"])
def test_clipping_meets_the_balanced_gradient(name, kind):
    net = net_of()
    expected = expected_of(net, name)
    if kind == "norm":
        total = torch.cat([g.flatten() for g in expected]).norm()
        clipped = [g * (0.05 / total) for g in expected]
    else:
        clipped = [g.clamp(-0.02, 0.02) for g in expected]
    balanced(net, name)
    if kind == "norm":
        assert_close(torch.nn.utils.clip_grad_norm_(net.parameters(), 0.05), total, rtol=1e-5, atol=0)
    else:
        torch.nn.utils.clip_grad_value_(net.parameters(), 0.02)
    assert error(gradients_of(net), clipped) < 2e-6


@every_method
@pytest.mark.parametrize("set_to_none", [True, False])
def test_gradients_of_the_step_before(name, set_to_none):
    net = net_of()
    expected = expected_of(net, name)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    net.zero_grad(set_to_none=set_to_none)
    balanced(net, name)
    assert error(gradients_of(net), expected) < 1e-6


@every_method
def test_gradients_already_present_are_added_to(name):
    net = net_of()
    expected = expected_of(net, name)
    net.trunk[0].weight.grad = torch.ones_like(net.trunk[0].weight)
    balanced(net, name)
    assert error(gradients_of(net), [expected[0] + 1, *expected[1:]]) < 1e-6


@every_method
def test_scaling_the_loss_in_place(name):
    net = net_of()
    expected = expected_of(net, name)
    x, targets = data_of()
    loss = eq.Balancer(METHODS[name](), net, tasks=NAMES)(losses_of(net(x), targets))
    loss *= 0.25
    loss.div_(2)
    loss.backward()
    assert error(gradients_of(net), [g / 8 for g in expected]) < 1e-6


@every_method
def test_parameter_groups_and_a_group_of_the_method_s_own(name):
    """One SGD step by hand: each group its own learning rate."""
    net = net_of()
    expected, before = expected_of(net, name), [p.detach().clone() for p in net.parameters()]
    balancer = balanced(net, name)
    groups = [{"params": net.trunk.parameters(), "lr": 0.1}, {"params": net.heads.parameters(), "lr": 0.01}]
    if learned := list(balancer.parameters()):
        groups.append({"params": learned, "lr": 1.0})
    torch.optim.SGD(groups).step()
    rates = [0.1] * len(list(net.trunk.parameters())) + [0.01] * len(list(net.heads.parameters()))
    after = [old - rate * g for old, rate, g in zip(before, rates, expected, strict=True)]
    assert_close([p.detach() for p in net.parameters()], after, rtol=1e-6, atol=1e-7)


@every_method
def test_tensor_hooks_run_once_on_what_is_delivered(name):
    net = net_of()
    expected, calls = expected_of(net, name), []

    def double(gradient):
        calls.append(gradient.clone())
        return 2 * gradient

    for parameter in net.parameters():
        parameter.register_hook(double)
    balanced(net, name)
    assert len(calls) == len(expected)
    assert error(gradients_of(net), [2 * g for g in expected]) < 1e-6


@every_method
def test_post_accumulate_hooks_may_step_inside_the_backward(name):
    """The optimiser in the backward pass, as for models whose gradients do not all fit."""
    net = net_of()
    expected, before = expected_of(net, name), [p.detach().clone() for p in net.parameters()]

    def step(parameter):
        with torch.no_grad():
            parameter -= 0.1 * parameter.grad
        parameter.grad = None

    for parameter in net.parameters():
        parameter.register_post_accumulate_grad_hook(step)
    balanced(net, name)
    moved = [(old - p.detach()) / 0.1 for old, p in zip(before, net.parameters(), strict=True)]
    assert error(moved, expected) < 1e-5  # the difference of two parameters has lost a digit


@every_method
def test_hooks_meet_zeros_while_micro_batches_wait(name):
    net = net_of()
    x, targets = data_of()
    met = []
    net.trunk[0].weight.register_hook(lambda gradient: met.append(bool(gradient.any())) or gradient)
    balancer = eq.Balancer(METHODS[name](), net, tasks=NAMES)
    balancer.accumulate(3)
    for _ in range(3):
        (balancer(losses_of(net(x), targets)) / 3).backward()
    assert met == [False, False, True]
