"""A weighting without a balancer: losses in, weights out."""

import torch


def bound(method, num_tasks=3):
    method.bind(num_tasks)
    return method


def weights_of(method, losses, tasks=None):
    """d objective / d losses of one step, as a list, in float64."""
    leaf = torch.tensor(losses, dtype=torch.float64, requires_grad=True)
    objective = method(leaf, None if tasks is None else torch.tensor(tasks))
    (weights,) = torch.autograd.grad(objective, leaf)
    return weights.tolist()
