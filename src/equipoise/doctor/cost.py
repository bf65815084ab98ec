"""What a backward costs by each route: counted always, timed on request."""

import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from equipoise.doctor.report import RouteCost
from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.layers.layer import size
from equipoise.gradients.plan import RoutePlan, plan_of
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import sequential, weighted_pass
from equipoise.step import Step

_ROUNDS = 5  # of all routes in turn, after one that is not counted

_Run = Callable[[], object]


def costs_of(step: Step, graph: Graph, roles: Roles, timed: bool) -> list[RouteCost]:
    """The plain sum, each route of the engine, and the representation if the step has one."""
    num_tasks = len(step.losses)
    runs: dict[str, _Run] = {"plain sum": partial(_plain, step, roles)}
    costs = [RouteCost("plain sum", "1 backward", 0.0, 0)]
    if roles.shared:
        layers = plan_of("factored", roles.shared, graph, num_tasks).layers
        by_rows = sum(layer.row_operations(num_tasks) for layer in layers)
        for route in ("rows", "batched", "auto", "factored"):
            plan = plan_of(route, roles.shared, graph, num_tasks)
            spared = {layer.leaves for layer in plan.layers}
            left = sum(layer.row_operations(num_tasks) for layer in layers if layer.leaves not in spared)
            operations = by_rows if not plan.layers else left + sum(la.operations(num_tasks) for la in plan.layers)
            costs.append(RouteCost(route, _passes(plan, num_tasks), operations, _memory(plan, roles, num_tasks)))
            runs[route] = partial(_measured, step, graph, roles, route, Jacobian())
    if step.representation is not None:
        held = num_tasks * _bytes(step.representation)
        costs.append(RouteCost("representation", f"{num_tasks} backwards to it, 1 below", 0.0, held))
        runs["representation"] = partial(_at_representation, step, graph, roles)
    return _timed(costs, runs, step.stacked.device) if timed else costs


def _passes(plan: RoutePlan, num_tasks: int) -> str:
    if plan.passes is sequential:
        return f"{num_tasks} backwards"
    return f"1 backward with {num_tasks} seeds" if not plan.layers else f"1 to the join, 1 with {num_tasks} seeds"


def _memory(plan: RoutePlan, roles: Roles, num_tasks: int) -> int:
    factored = {leaf for layer in plan.layers for leaf in layer.leaves}
    rows = sum(_bytes(leaf) for leaf in roles.shared if leaf not in factored)
    factors = sum(4 * size(edge).numel() for layer in plan.layers for edge in layer.edges)
    return num_tasks * (rows + factors)


def _bytes(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _incoming(step: Step) -> Tensor:
    return torch.ones((), device=step.stacked.device, dtype=step.stacked.dtype)


def _plain(step: Step, roles: Roles) -> None:
    weighted_pass(step.losses, roles.leaves, [torch.ones_like(loss) for loss in step.losses], keep=True)


def _measured(step: Step, graph: Graph, roles: Roles, route: str, room: Jacobian) -> None:
    """What a backward by this route does, but for the method's own answer and the delivery to ``.grad``."""
    plan = plan_of(route, roles.shared, graph, len(step.losses))
    room.combine(_gramian(room, step, graph, roles, roles.shared, plan))
    room.release()


def _at_representation(step: Step, graph: Graph, roles: Roles) -> None:
    representation, jacobian = step.representation, Jacobian()
    assert representation is not None
    weights = _gramian(jacobian, step, graph, roles, [representation], RoutePlan(sequential))
    weighted_pass([representation], roles.shared, jacobian.combine(weights), keep=True)


def _gramian(
    jacobian: Jacobian, step: Step, graph: Graph, roles: Roles, measured: Sequence[Tensor], plan: RoutePlan
) -> Tensor:
    """Fill the jacobian and ask it for the gramian; weights [K] of ones.

    As in a step of the balancer, gradients by what a task alone reaches are taken, too.
    """
    own = roles.own(len(step.losses))
    plan.fill(jacobian, measured, step.losses, graph, own, _incoming(step), keep=True)
    jacobian.gramian(len(step.losses))
    return torch.ones(len(step.losses), dtype=torch.float64, device="cpu")


def _timed(costs: list[RouteCost], runs: dict[str, _Run], device: torch.device) -> list[RouteCost]:
    """The same with the median time of a backward; routes take turns, so that a slow moment hits all."""
    times: dict[str, list[float]] = {route: [] for route in runs}
    refused: dict[str, str] = {}
    for turn in range(_ROUNDS + 1):
        for route, run in runs.items():
            if route in refused:
                continue
            _wait(device)
            start = time.perf_counter()
            try:
                run()
            except RuntimeError as error:
                refused[route] = str(error).splitlines()[0]
                continue
            _wait(device)
            if turn:
                times[route].append(1000 * (time.perf_counter() - start))
    medians = {route: statistics.median(taken) if taken else None for route, taken in times.items()}
    return [
        RouteCost(c.route, c.passes, c.operations, c.memory, medians[c.route], refused.get(c.route, "")) for c in costs
    ]


def _wait(device: torch.device) -> None:
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
