"""The look itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from equipoise.arguments import short_repr
from equipoise.balancer import Balancer
from equipoise.doctor.cost import costs_of
from equipoise.doctor.decide import decision
from equipoise.doctor.findings import Seen, findings_of
from equipoise.doctor.parts import parts_of
from equipoise.doctor.reach import reach_of
from equipoise.doctor.report import Report
from equipoise.gradients.graph import Graph
from equipoise.gradients.measure import Measured, measure
from equipoise.gradients.roles import Roles
from equipoise.gradients.surrogate import GraphErrors
from equipoise.step import Step, take_step


class Recorded(Protocol):
    """What the doctor reads of a recorder."""

    @property
    def fits(self) -> Mapping[str, str]:
        """The verdict on each task's loss curves."""

    @property
    def history(self) -> Sequence[tuple[int, str, str, str, float]]:
        """Epoch, split, task, quantity, value."""


def doctor(
    model: nn.Module,
    balancer: Balancer,
    losses: Mapping[str, Tensor],
    optimizer: Optimizer | Iterable[Optimizer] | None = None,
    *,
    representation: Tensor | None = None,
    time: bool = False,
    recorder: Recorded | None = None,
) -> Report:
    """Print what one step of your own loop looks like, and return the numbers.

    Call it where ``balancer(losses)`` stands, before the backward. It changes no gradient, no parameter, no state of
    the method and no random number, and leaves the graph for your own backward. It runs one backward pass per task and
    holds all their gradients by the shared parameters at once: look now and then, not at every step. Hooks on
    parameters are silent meanwhile; hooks on activations hear each pass.

    Args:
        model: Gives the names of the parameters.
        balancer: Yours.
        losses: Raw losses by task name, as the balancer takes them.
        optimizer: One or several; then what they do not hold is seen.
        representation: As the balancer takes it.
        time: Also time a backward by every route, six times each.
        recorder: Of the epochs so far, as ``equipoise.lab.Recorder``; then over- and under-fitting are seen.

    Raises:
        ValueError: If the balancer would not take the losses either.
    """
    report = examine(model, balancer, losses, optimizer, representation=representation, time=time, recorder=recorder)
    print(report)
    return report


def examine(
    model: nn.Module,
    balancer: Balancer,
    losses: Mapping[str, Tensor],
    optimizer: Optimizer | Iterable[Optimizer] | None = None,
    *,
    representation: Tensor | None = None,
    time: bool = False,
    recorder: Recorded | None = None,
) -> Report:
    """The report of ``doctor``, without printing it."""
    if not isinstance(balancer, Balancer):
        raise ValueError(f"balancer must be a Balancer, got {short_repr(balancer)}")
    optimizers = [optimizer] if isinstance(optimizer, Optimizer) else list(optimizer or ())
    with torch.enable_grad():
        step = take_step(balancer.user_weights, losses, representation)
        if not step.losses:
            raise ValueError("losses is empty: give the losses of a batch that has labels")
        step.require_graph()
        devices = [step.stacked.device] if step.stacked.is_cuda else []
        with torch.random.fork_rng(devices):
            return _examined(model, balancer, step, optimizers, time, recorder)


def _examined(
    model: nn.Module,
    balancer: Balancer,
    step: Step,
    optimizers: list[Optimizer],
    time: bool,
    recorder: Recorded | None,
) -> Report:
    graph = balancer.given.graph_of(step.losses)
    seen = Seen(balancer, step, optimizers, names=_names(model, graph))
    if recorder is not None:
        seen.fits, seen.norms = recorder.fits, _recorded_norms(recorder)
    roles = _roles(balancer, step, graph, seen)
    shared = [seen.names[leaf] for leaf in roles.shared]
    measured = _measured(balancer, step, graph, roles, seen)
    gramian, compared = None, list[str]()
    if measured is not None and shared:
        gramian = measured.total(shared)
        seen.single_task_tensors = measured.single_task_tensors(shared)
        seen.parts = parts_of(step, roles.shared)
        chosen = balancer.gramian_from
        compared = shared if chosen is None else [seen.names[leaf] for leaf in chosen]
        if step.representation is not None:
            compared = [_REPRESENTATION]
    seen.gramian = gramian
    seen.own = None if measured is None else measured.own
    seen.weights = _decided(balancer, step, measured if shared else None, compared, roles, seen)
    held = {p for one in optimizers for group in one.param_groups for p in group["params"]} if optimizers else None
    given = set(balancer.given.named().values())
    parameters = {name: leaf for leaf, name in seen.names.items() if isinstance(leaf, nn.Parameter) or leaf in given}
    seen.reach = reach_of(parameters, graph.leaves, step.names, given, held)
    own = [0.0] * len(step.names) if measured is None else measured.own.tolist()
    return Report(
        method=repr(balancer.method),
        names=step.names,
        absent=tuple(name for name in balancer.names if name not in step.names),
        user_weights={name: balancer.user_weights[name] for name in step.names},
        losses={name: float(loss.detach()) for name, loss in zip(step.names, step.raw, strict=True)},
        reach=seen.reach,
        gramian=gramian,
        modules={} if gramian is None or measured is None else measured.by_module(shared),
        layers={} if gramian is None or measured is None else measured.by_layer(shared),
        parts=seen.parts,
        own_norms=dict(zip(step.names, own, strict=True)),
        weights=_effective(step, seen.weights),
        costs=[] if measured is None else costs_of(step, graph, roles, time),
        findings=findings_of(seen),
        suggestion=_suggested(step.names, balancer.user_weights, gramian),
        shared_numbers=sum(leaf.numel() for leaf in roles.shared),
    )


def _recorded_norms(recorder: Recorded) -> dict[str, list[float]]:
    norms: dict[str, list[float]] = {}
    for _, split, task, quantity, value in recorder.history:
        if (split, quantity) == ("train", "gradient_norm"):
            norms.setdefault(task, []).append(value)
    return norms


def _effective(step: Step, weights: Tensor | None) -> dict[str, float]:
    """By task, with the users' weights in them."""
    if weights is None:
        return {}
    values = zip(step.names, weights.tolist(), step.weights, strict=True)
    return {name: decided * user for name, decided, user in values}


_REPRESENTATION = "(representation)"  # no parameter has brackets in its name


def _names(model: nn.Module, graph: Graph) -> dict[Tensor, str]:
    """All parameters of the model, and the leaves that losses reach outside of it."""
    names: dict[Tensor, str] = {parameter: name for name, parameter in model.named_parameters()}
    strangers = [leaf for leaf in graph.leaves if leaf not in names]
    names.update({leaf: f"(outside the model).{i}" for i, leaf in enumerate(strangers)})
    return names


def _roles(balancer: Balancer, step: Step, graph: Graph, seen: Seen) -> Roles:
    try:
        given = balancer.given
        given.learn(graph, step.present, len(balancer.names))
        return given.roles(graph, step.present, len(balancer.names))
    except ValueError as error:
        seen.refusals.append(str(error))
        return Roles()


def _measured(balancer: Balancer, step: Step, graph: Graph, roles: Roles, seen: Seen) -> Measured | None:
    """Gradients by everything that is shared or chosen; ``None`` where the graph allows no second pass."""
    points = {seen.names[leaf]: leaf for leaf in [*roles.shared, *(balancer.gramian_from or ())] if leaf in seen.names}
    if step.representation is not None:
        points[_REPRESENTATION] = step.representation
    asked = set(points.values())
    own = [[leaf for leaf in leaves if leaf not in asked] for leaves in roles.own(len(step.losses))]
    try:
        graph.require_visible()
        graph.require_several_passes()
        with GraphErrors(step.raw, balancer.method):
            return measure(step.losses, graph, points, own)
    except RuntimeError as error:
        seen.refusals.append(f"gradients of single tasks cannot be measured: {error}")
        return None


def _decided(
    balancer: Balancer, step: Step, measured: Measured | None, compared: list[str], roles: Roles, seen: Seen
) -> Tensor | None:
    """The method's weights by the gradients of these names, of the tasks that share something."""
    balanced = [k for k in range(len(step.losses)) if roles.sharing >> k & 1]
    if measured is not None and not bool(measured.total(compared).isfinite().all()):
        return None
    try:
        return decision(balancer.method, step, measured, compared, balanced)
    except ValueError as error:
        seen.refusals.append(str(error))
        return None


def _suggested(names: tuple[str, ...], user_weights: Mapping[str, float], gramian: Tensor | None) -> dict[str, float]:
    """weight_k ∝ 1 / ‖gradient of the raw loss k‖, with mean 1: every task then moves what is shared equally far.

    Empty for fewer than two tasks, and where a gradient is zero or not finite.
    """
    if gramian is None or len(names) < 2:
        return {}
    norms = gramian.diagonal().sqrt().tolist()
    if not all(0 < norm < float("inf") for norm in norms):
        return {}
    inverse = {name: user_weights[name] / norm for name, norm in zip(names, norms, strict=True)}
    scale = len(names) / sum(inverse.values())
    return {name: value * scale for name, value in inverse.items()}
