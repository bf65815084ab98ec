"""Threads that go backward through the same parameters, one in the middle of another's step."""

from threading import Thread

import pytest
import torch
from plain_autograd import NAMES, Net, data_of, error, gradients_of, losses_of, net_of
from torch.testing import assert_close

import equipoise as eq

every_route = pytest.mark.parametrize("route", ["rows", "batched", "factored", "auto"])


def balancer_of(net, **options):
    return eq.Balancer(eq.MGDA(), net, tasks=NAMES, **options)


def backward_in_a_thread(loss):
    """What it raised, or ``None``."""
    raised = []

    def run():
        try:
            loss.backward()
        except RuntimeError as error:
            raised.append(error)

    thread = Thread(target=run)
    thread.start()
    thread.join()
    return raised[0] if raised else None


def losses_that_interrupt(net, interrupt):
    """Losses of a batch; once in the middle of a backward pass through the trunk, the interruption happens."""
    x, targets = data_of()
    z = net.trunk(x)
    left = [interrupt]
    z.register_hook(lambda gradient: left.pop()() if left else None)
    return losses_of(net.apply_heads(z), targets)


def hooked(net):
    """What the hook of a shared weight meets."""
    met = []
    net.trunk[0].weight.register_hook(lambda gradient: met.append(gradient.clone()))
    return met


@every_route
@pytest.mark.parametrize("is_balanced", [False, True])
def test_hooks_of_shared_parameters_run_once_in_each_step_of_each_thread(route, is_balanced):
    net, other = net_of(), net_of(seed=1)
    other.trunk = net.trunk
    x, targets = data_of()
    losses = losses_of(other(x), targets)
    met = hooked(net)
    loss = balancer_of(other)(losses) if is_balanced else sum(losses.values())
    loss.backward(retain_graph=not is_balanced)
    second = gradients_of(other)[0]
    net.zero_grad()
    balancer_of(net, route=route)(losses_of(net(x), targets)).backward()
    first = gradients_of(net)[0]
    net.zero_grad()
    met.clear()

    again = balancer_of(other)(losses_of(other(x), targets)) if is_balanced else loss
    balancer_of(net, route=route)(losses_that_interrupt(net, lambda: backward_in_a_thread(again))).backward()
    assert len(met) == 2
    assert_close(met, [second, first])
    assert_close(gradients_of(net)[0], first + second)


def test_one_balancer_does_not_mix_the_steps_of_two_threads():
    """The second backward is refused, and the first delivers what it would have alone."""
    net = net_of()
    x, targets = data_of()
    balancer = balancer_of(net)
    balancer(losses_of(net(x), targets)).backward()
    expected = gradients_of(net)
    net.zero_grad()
    second, raised = balancer(losses_of(net(2 * x), targets)), []
    balancer(losses_that_interrupt(net, lambda: raised.append(backward_in_a_thread(second)))).backward()
    assert "two backwards of one balancer at a time" in str(raised[0])
    assert error(gradients_of(net), expected) == 0
    balancer(losses_of(net(x), targets)).backward()


@pytest.mark.parametrize("step", ["in the middle", "frozen", "accumulated"])
def test_a_balancer_has_one_backward_at_a_time_whatever_it_measures(step):
    net = net_of()
    x, targets = data_of()
    balancer, raised = balancer_of(net), []
    second = balancer(losses_of(net(x), targets))
    losses = losses_that_interrupt(net, lambda: raised.append(backward_in_a_thread(second)))
    if step == "frozen":
        with balancer.frozen():
            balancer(losses)
    elif step == "accumulated":
        balancer.accumulate(2)
        (balancer(losses) / 2).backward()
    else:
        balancer(losses).backward()
    assert "two backwards of one balancer at a time" in str(raised[0])


@pytest.mark.parametrize("route", ["rows", "factored", "auto"])  # a batched pass takes no other within
@pytest.mark.parametrize("is_balanced", [False, True])
def test_hooks_of_another_network_are_heard_in_a_backward_from_within(route, is_balanced):
    net, other = net_of(), net_of(seed=1)
    x, targets = data_of()
    met, balancer = hooked(other), balancer_of(other)
    balancer(losses_of(other(x), targets)).backward()
    met.clear()

    def interrupt():
        with torch.enable_grad():
            losses = losses_of(other(x), targets)
            loss = balancer(losses) if is_balanced else sum(losses.values())
        loss.backward()

    balancer_of(net, route=route)(losses_that_interrupt(net, interrupt)).backward()
    assert len(met) == 1


def test_hooks_hear_a_plain_backward_after_a_measurement_outside_of_one():
    net = net_of()
    x, targets = data_of()
    met, balancer = hooked(net), balancer_of(net)
    with balancer.frozen():
        balancer(losses_of(net(x), targets))
    met.clear()
    sum(losses_of(net(x), targets).values()).backward()
    assert len(met) == 1


def test_threads_that_train_one_trunk_at_once_add_up_and_lose_no_hook():
    nets = [net_of(seed=seed) for seed in range(3)]
    for net in nets[1:]:
        net.trunk = nets[0].trunk
    met, (x, targets), steps = hooked(nets[0]), data_of(), 10

    def train(net: Net):
        balancer = balancer_of(net)
        for _ in range(steps):
            balancer(losses_of(net(x), targets)).backward()

    for net in nets:
        train(net)
    expected = gradients_of(nets[0])
    nets[0].zero_grad()
    met.clear()
    threads = [Thread(target=train, args=(net,)) for net in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(met) == len(nets) * steps
    trunk = len(list(nets[0].trunk.parameters()))
    assert error(gradients_of(nets[0])[:trunk], expected[:trunk]) < 1e-5
