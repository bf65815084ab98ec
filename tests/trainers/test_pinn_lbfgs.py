"""LBFGS calls its closure many times for one step: the weights are held, and the value is that objective's."""

import pytest
import torch
from pinn_lbfgs import losses, train_step
from torch import nn

import equipoise as eq


def problem():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x = torch.linspace(-1, 1, 16, dtype=torch.float64)[:, None].requires_grad_()
    return net, x, torch.tensor([[-1.0], [1.0]], dtype=torch.float64)


def lbfgs(net):
    return torch.optim.LBFGS(net.parameters(), max_iter=8, line_search_fn="strong_wolfe", tolerance_grad=0.0)


def mgda(net, both):
    """Twice the point of least norm between two vectors, over the parameters that both reach: all but the last bias."""
    shared = list(net.parameters())[:-1]
    one, two = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, shared, retain_graph=True)]) for loss in both.values()
    )
    weight = ((two - one) @ two / (two - one).square().sum()).clamp(0, 1)
    return {"equation": 2 * float(weight), "boundary": 2 - 2 * float(weight)}


def test_each_step_minimises_one_weighted_sum():
    """By hand: weights at the step's first point, then LBFGS on the weighted sum, heads included."""
    net, x, ends = problem()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=["equation", "boundary"])
    optimizer = lbfgs(net)
    other, z, edges = problem()
    other_optimizer = lbfgs(other)
    for _ in range(3):
        train_step(net, balancer, optimizer, x, ends)
        weights = mgda(other, losses(other, z, edges))

        def closure(weights=weights):
            other_optimizer.zero_grad()
            both = losses(other, z, edges)
            loss = sum(weights[name] * both[name] for name in both)
            loss.backward()
            return loss

        other_optimizer.step(closure)
    for one, two in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-8)


def test_the_value_of_the_closure_is_the_objective_that_its_gradient_is_of():
    """A step along the gradient changes the value as the gradient says, as a line search believes."""
    net, x, ends = problem()
    balancer = eq.Balancer(eq.MGDA(), net, tasks=["equation", "boundary"])
    with balancer.frozen():
        values = []
        for _ in range(2):
            net.zero_grad()
            value = balancer(losses(net, x, ends))
            value.backward()
            values.append(value.item())
            squared = sum(float(p.grad.square().sum()) for p in net.parameters())
            with torch.no_grad():
                for p in net.parameters():
                    p -= 1e-7 * p.grad
    assert values[0] - values[1] == pytest.approx(1e-7 * squared, rel=1e-3)
