"""Training as the definition says it: one task's gradient at a time, MGDA's weights in closed form, no balancer."""

from functools import cache

import torch
from problem import Net, loader
from torch.nn import functional

import equipoise as eq


def new_net():
    torch.manual_seed(1)
    return Net()


def new_optimizer(net, balancer):
    return torch.optim.SGD([*net.parameters(), *balancer.parameters()], lr=0.1, momentum=0.9)


def with_state():
    """A method whose steps depend on those before."""
    return eq.Chain(eq.RunningNorm(), eq.MGDA())


def flat(net):
    """All parameters [P]."""
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def error(net, reference):
    """Largest difference, relative to the largest parameter."""
    return float((flat(net) - flat(reference)).abs().max() / flat(reference).abs().max())


def rows(net, batch, dtype=None):
    """Each task's gradient of every parameter, None where it has none."""
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        outputs = net(batch["x"])
        price = functional.mse_loss(outputs["price"], batch["price"])
        kind = functional.cross_entropy(outputs["kind"], batch["kind"])
    return [
        torch.autograd.grad(loss, [*net.parameters()], retain_graph=True, allow_unused=True) for loss in (price, kind)
    ]


def mgda(net, price, kind):
    """Twice the point of least norm of two vectors, (g_2 - g_1)·g_2 / |g_2 - g_1|² within [0, 1], over the trunk."""
    trunk = [name.startswith("trunk") for name, _ in net.named_parameters()]
    one, two = (
        torch.cat([g.flatten().double() for g, t in zip(row, trunk, strict=True) if t]) for row in (price, kind)
    )
    weight = float((two - one) @ two / (two - one).square().sum())
    weight = min(max(weight, 0.0), 1.0)
    return 2 * weight, 2 * (1 - weight)


def plain_sum(net, price, kind):
    return 1.0, 1.0


@cache
def train_by_hand(weigh=mgda, epochs=1, batch_size=8, dtype=None, accumulation=1, max_norm=None):
    """The trained network, not to be changed; each micro-batch is balanced, heads keep their own task's gradient."""
    net = new_net()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    for _ in range(epochs):
        for i, batch in enumerate(loader(batch_size), start=1):
            price, kind = rows(net, batch, dtype)
            weights = weigh(net, price, kind)
            for (name, parameter), *both in zip(net.named_parameters(), price, kind, strict=True):
                factors = weights if name.startswith("trunk") else (1.0, 1.0)
                new = sum(w * g for w, g in zip(factors, both, strict=True) if g is not None) / accumulation
                parameter.grad = new if parameter.grad is None else parameter.grad + new
            if i % accumulation == 0:
                norm = torch.cat([p.grad.flatten() for p in net.parameters()]).norm()
                for parameter in net.parameters():
                    parameter.grad *= 1.0 if max_norm is None else min(1.0, max_norm / float(norm))
                optimizer.step()
                optimizer.zero_grad()
    return net
