"""Gradient descent with a decaying step size and every hook served, without a network."""

import torch

import equipoise as eq
from equipoise.chain import linearise

EPOCH = 10  # steps


def direction(method, losses, rows, rate):
    """The combined gradient [P]; what a weighting learns takes its own step of length ``rate``."""
    tasks = torch.arange(len(losses))
    if isinstance(method, eq.CoordinateAggregator):
        return method(rows, losses, tasks)
    if isinstance(method, eq.GroupAggregator):
        method.groups_of({"x": torch.zeros_like(rows[0])})
        return method((rows @ rows.T)[None], losses, tasks)[0] @ rows
    if isinstance(method, eq.Aggregator):
        return method(rows @ rows.T, losses, tasks) @ rows
    objective, weights = linearise(method, losses, tasks)
    if learned := list(method.parameters()):
        with torch.no_grad():
            for parameter, slope in zip(learned, torch.autograd.grad(objective, learned), strict=True):
                parameter -= rate * slope
    return weights.detach() @ rows


def told(method, problem, losses, step, x):
    """Serve the hooks after a step that led to ``x``; results are 1 / (1 + loss), in (0, 1] and higher is better."""
    tasks = torch.arange(len(losses))
    if type(method).after_step is not eq.Method.after_step:
        method.after_step(problem(x)[0], tasks)
    if (step + 1) % EPOCH == 0:
        method.observe(1 / (1 + losses), tasks)
        method.end_epoch()


def descend(method, problem, start, steps, rate=0.1, half=20):
    """The point and the average point of the last half after steps of length rate / (1 + step / half).

    problem: x [P] -> losses [K], rows [K, P]; its ``onto``, where it has one, brings a point back into its box.
    """
    x = start.clone()
    onto = getattr(problem, "onto", lambda point: point)
    method.bind(len(problem(x)[0]))
    mean = torch.zeros_like(x)
    for step in range(steps):
        losses, rows = problem(x)
        now = rate / (1 + step / half)
        x = onto(x - now * direction(method, losses, rows, now))
        told(method, problem, losses, step, x)
        if step >= steps // 2:
            mean += x / (steps - steps // 2)
    return x, mean
