"""Two losses over two parameters, on which every method is run as a user would run it."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import equipoise as eq

TASKS = ("first", "second")
DOWN = torch.tensor([[-2.66, 1.385], [0.635, 0.487]], dtype=torch.float64)  # minus the gradients: 115° apart, 3.7 to 1
VALUES = torch.tensor([2.0, 1.0], dtype=torch.float64)  # of the losses there
OPTIMA = torch.tensor([[-1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
CURVATURES = torch.tensor([[4.0, 1.2], [0.3, 1.0]], dtype=torch.float64)  # along both parameters
STARTS = ((-0.4, 2.0), (1.6, -0.5))
HELD, WALKED, EPOCH, RATE = 30, 40, 10, 0.25  # steps, steps of an epoch, the learning rate, which falls to 0


class Plane(nn.Module):
    """A point and the losses there."""

    def __init__(self, start: tuple[float, float], losses: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.point = nn.Parameter(torch.tensor(start, dtype=torch.float64))
        self.losses = losses

    def forward(self) -> dict[str, Tensor]:
        return dict(zip(TASKS, self.losses(self.point), strict=True))


@dataclass(frozen=True)
class Seen:
    """What a method did."""

    steps: Tensor  # [HELD, 2], minus the combined gradient at the point where the parameters are held
    weights: Mapping[str, float]  # of the last of these; empty where the method has none
    paths: list[Tensor]  # from every start, [1 + WALKED, 2]


def slopes(point: Tensor) -> Tensor:
    """Two losses that are linear: their gradients are the same everywhere."""
    return VALUES - DOWN @ point


def bowls(point: Tensor) -> Tensor:
    """Two quadratic losses; the first one is the steeper."""
    return 0.5 + 0.5 * (CURVATURES * (point - OPTIMA) ** 2).sum(dim=1)


def best() -> Tensor:
    """The points [N, 2] at which no step lowers both losses."""
    first = torch.logspace(-3, 3, 60, dtype=torch.float64)[:, None]
    weights = torch.stack([first * CURVATURES[0], CURVATURES[1].expand(60, 2)])
    return (weights * OPTIMA[:, None]).sum(dim=0) / weights.sum(dim=0)


def seen(make: Callable[[], eq.Method]) -> Seen:
    """Run it: with the parameters held for some steps, then from every start.

    Raises:
        ValueError: If the method refuses two tasks.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what a training should have, such as a weight that a method ignores
        torch.manual_seed(0)
        held = list(steps(make(), Plane((0.0, 0.0), slopes), HELD, hold=True))
        paths = []
        for start in STARTS:
            plane = Plane(start, bowls)
            paths.append(
                torch.stack([plane.point.detach().clone(), *(at for at, _, _ in steps(make(), plane, WALKED))])
            )
    return Seen(torch.stack([step for _, step, _ in held]), held[-1][2], paths)


def steps(method: eq.Method, plane: Plane, count: int, hold: bool = False) -> Iterable[tuple[Tensor, Tensor, Mapping]]:
    """Train by SGD; where the point is after each step, minus the gradient, and the weights."""
    balancer = eq.Balancer(method, plane, tasks=TASKS)
    optimizer = torch.optim.SGD([*plane.parameters(), *balancer.parameters()], lr=RATE)
    for step in range(count):
        optimizer.param_groups[0]["lr"] = RATE if hold else RATE * (1 - step / count)
        optimizer.zero_grad()
        before = plane.point.detach().clone()
        balancer(plane()).backward()
        down = -plane.point.grad
        optimizer.step()
        if hold:
            plane.point.data.copy_(before)
        if step % EPOCH == EPOCH - 1:
            balancer.observe({name: -loss.item() for name, loss in plane().items()})
            balancer.end_epoch()
        yield plane.point.detach().clone(), down, dict(balancer.record.weights or {})
