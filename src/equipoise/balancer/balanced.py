"""The scalar that a step gives, and its backward pass: plan, gradients, decision, and a gradient for each leaf."""

from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from equipoise.balancer.decide import StepDecision, decide_measured, decide_unmeasured, extract_single_task
from equipoise.balancer.reach import Reach, needs_gramian, reach_of, require_deliverable, roles_of
from equipoise.balancer.state import State
from equipoise.chain import linearise
from equipoise.gradients.jacobian import Jacobian, Spread, UnsharedGradients
from equipoise.gradients.known import are_finite, at_known, jointly, through
from equipoise.gradients.parts import is_in_parts
from equipoise.gradients.plan import RoutePlan, plan_of
from equipoise.gradients.routes import harvested, sequential
from equipoise.gradients.surrogate import GraphErrors, note_backward, require_unused, surrogate, with_gradient_of
from equipoise.monitor import Monitor
from equipoise.plain import PLAIN
from equipoise.plain_sum import Sum
from equipoise.step import Step

Gradients = list[Tensor | None]  # of every leaf


def balanced_by_losses(state: State, step: Step) -> Tensor:
    """A scalar of the total's value and the gradient of the weighting's objective: one ordinary backward pass."""
    if not state.has_seen_losses:  # raises if this is the wrong model
        graph = state.parameters.graph_of(step.losses)
        if not graph.hides_parameters():
            roles_of(state, step, graph)
        state.has_seen_losses = True
    objective = state.config.parts.weighting(step.stacked, step.tasks)
    monitor, reached = state.monitor, None
    if monitor is not None and monitor.optimisers.is_due(state.steps + 1):
        reached = list(state.parameters.graph_of([objective]).leaves)
    # empty but for the backward: a hook that held the step or the objective would keep its graph
    seen: list[tuple[Step, Tensor]] = []
    value = objective.detach()

    def on_losses(gradient: Tensor) -> None:
        step, incoming = seen.pop()
        require_unused(step.raw, state.config.method)
        note_backward(step.raw, state.config.method)
        reach = reach_of(state, step) if state.is_probe_due else None
        gramian = None if reach is None else measured_gramian(state, reach, incoming)[0]
        if monitor is not None and reached is not None:
            monitor.optimisers.look(state.parameters.named(), set(reached), ())
        weights = gradient.detach() / incoming
        state.note(step, weights, gramian, route="objective", objective=value)
        if monitor is not None:
            monitor.went_backward()
            if reach is not None and gramian is not None and state.steps >= monitor.looks.next:
                _look_at_gradients(state, monitor, reach, gramian, weights.double().cpu())

    step.stacked.register_hook(on_losses)
    loss = with_gradient_of(step.total, objective, lambda incoming: seen.append((step, incoming)))
    if monitor is not None:
        monitor.line_search.compares(loss, objective)
    return loss


def balanced_by_gradients(state: State, step: Step) -> Tensor:
    """A scalar that balances the tasks' gradients when it goes backward."""
    reach = reach_of(state, step)
    require_deliverable(state, reach)
    weighting, reached, learns = state.config.parts.weighting, list(reach.graph.leaves), False
    objective, scales = step.total, torch.ones_like(step.stacked)
    if not isinstance(weighting, Sum):
        objective, scales = linearise(weighting, step.stacked, step.tasks)
        learns = any(p.requires_grad for p in weighting.parameters())
    is_due = state.monitor is not None and state.monitor.optimisers.is_due(state.steps + 1)
    if is_due and learns:
        reached += state.parameters.graph_of([objective]).leaves
    on_backward = partial(_backward, state, reach, scales, reached if is_due else None)
    loss = surrogate(step.total, reach.roles.leaves, on_backward)
    return loss + (objective - objective.detach()) if learns else loss


def _backward(state: State, reach: Reach, scales: Tensor, reached: list[Tensor] | None, incoming: Tensor) -> Gradients:
    """The gradient of every leaf.

    Args:
        state: Of the balancer.
        reach: K tasks.
        scales: The weighting's weights [K].
        reached: The leaves that the losses reach, where the monitor begins or ends to look at optimisers.
        incoming: The gradient [] of the balanced loss.
    """
    monitor = state.monitor
    with state.guard, GraphErrors(reach.step.raw, state.config.method):
        reach.graph.delay_to_the_outer_pass()
        if monitor is not None and reached is not None:
            monitor.optimisers.look(reach.graph.named, set(reached), set(reach.roles.shared))
        if needs_gramian(state, reach):
            gradients = _measured(state, reach, scales, incoming)
        else:
            gradients = _unmeasured(state, reach, scales, incoming)
        if monitor is not None:
            monitor.went_backward()
        return gradients


def _measured(state: State, reach: Reach, scales: Tensor, incoming: Tensor) -> Gradients:
    """Take K gradients, decide by them, combine them."""
    step, graph, jacobian = reach.step, reach.graph, state.jacobian
    plan = plan_for(state, reach)
    keep = reach.chosen is not None or graph.is_kept()
    own = reach.roles.own(len(step.losses))
    try:
        unshared = plan.fill(jacobian, reach.measured, step.losses, graph, own, incoming, keep)
        route = plan.describe(reach.roles.names) if reach.chosen is None else "chosen parameters"
        route = route if step.representation is None else "representation"
        return delivered(state, reach, jacobian, unshared, scales, incoming, route)
    finally:
        jacobian.release()


def delivered(
    state: State,
    reach: Reach,
    jacobian: Jacobian,
    unshared: UnsharedGradients,
    scales: Tensor,
    incoming: Tensor,
    route: str,
    objective: Tensor | None = None,
) -> Gradients:
    """Decide by a filled jacobian, note it, and combine.

    Args:
        state: Of the balancer.
        reach: K tasks.
        jacobian: Their gradients by all that is measured.
        unshared: And by private and outside leaves.
        scales: The weighting's weights [K].
        incoming: [], a factor of all gradients.
        route: For the record.
        objective: [], for the record of a loss weighting.
    """
    decision = decide_measured(state, reach, jacobian, unshared.numbers(), scales, incoming)
    step, weights = reach.step, decision.weights
    state.note(step, weights if decision.has_weights else None, decision.gramian, route, decision.skipped, objective)
    if state.monitor is not None and reach.balanced and not decision.skipped:
        _look(state, state.monitor, reach, jacobian, decision)
    if reach.chosen is None and state.config.route != "low-memory":
        shared = jacobian.combine(weights) if decision.combined is None else decision.combined
    elif step.representation is None:
        shared = jointly(step.losses, reach.graph, reach.roles.shared, weights, incoming)
    else:
        shared = through(step.representation, step.losses, reach.graph, reach.roles.shared, jacobian, weights, incoming)
    heads = "raw" if unshared.are_weighted else state.config.heads
    return reach.roles.in_order(shared, unshared.by_leaf, heads, weights.tolist())


def _unmeasured(state: State, reach: Reach, scales: Tensor, incoming: Tensor) -> Gradients:
    """One pass at weights that need no gradients; if it is not finite the method forgets the step."""
    parts, step = state.config.parts, reach.step
    deciding = [part for part in (parts.aggregator, parts.row) if part is not None]
    buffers = [buffer for part in deciding for buffer in part.buffers()]
    before = [buffer.clone() for buffer in buffers]
    decision = decide_unmeasured(state, reach, scales, incoming)
    weights, skipped = decision.weights, decision.skipped
    gradients = at_known(step.losses, reach.graph, reach.roles, state.config.heads, weights, incoming)
    if not skipped and not are_finite(gradients, state.ranks):
        skipped = True
        for buffer, value in zip(buffers, before, strict=True):
            buffer.copy_(value)
    state.note(step, weights, None, "reused", skipped)
    return gradients


def measured_gramian(state: State, reach: Reach, incoming: Tensor) -> tuple[Tensor, Tensor]:
    """The gramian [K, K] alone, and the rows [K, P] for a method that decides by them, else [K, 0].

    Delivers nothing, and leaves the graph alive.
    """
    step, graph, jacobian = reach.step, reach.graph, state.jacobian
    num_tasks = len(step.losses)
    graph.require_several_passes(reach.measured)
    with state.guard, GraphErrors(step.raw, state.config.method):
        try:
            nothing: list[list[Tensor]] = [[] for _ in step.losses]
            plan_for(state, reach).fill(jacobian, reach.measured, step.losses, graph, nothing, incoming, keep=True)
            extract_single_task(state, reach, jacobian)
            gramian, factor = jacobian.gramian(num_tasks, incoming)
            rows = gramian[:, :0]
            if state.config.parts.row is not None:
                rows = jacobian.rows(num_tasks) / float(factor)
            return gramian / factor**2, rows
        finally:
            jacobian.release()


def plan_for(state: State, reach: Reach) -> RoutePlan:
    """How to take the gradients of a step.

    Raises:
        ValueError: If the options do not fit parameters that lie in parts over the ranks, or a compiled model.
    """
    config, step, shared, ranks = state.config, reach.step, reach.roles.shared, state.ranks
    parts, is_joint = config.parts, ranks.size > 1
    in_parts = not PLAIN.issuperset(map(type, shared)) and any(map(is_in_parts, shared))
    if config.route == "low-memory" and reach.chosen is None:
        if is_joint or in_parts or state.parameters.ambiguous:
            where = "of compiled models" if state.parameters.ambiguous else "over several processes or parts"
            raise ValueError(
                f"route='low-memory' keeps no gradients of single tasks, which are needed {where}: use route='auto'"
            )
        plan = plan_of(config.route, shared, reach.graph, len(step.losses), known=state.known_rows)
        return replace(plan, passes=sequential, in_chunks=True)
    if in_parts:
        if reach.chosen is not None or parts.needs_whole_rows:
            raise ValueError(
                f"{config.method} over sharded parameters compares the gradients of all of them, and needs no "
                "single rows: leave out representation and gramian_from, and methods by coordinate or by group"
            )
        passes = harvested if reach.graph.is_gathered else sequential
        return RoutePlan(passes, spread="parts", ranks=ranks, why=dict.fromkeys(shared, "rows, by this rank's part"))
    if step.representation is not None:
        return RoutePlan(sequential, spread="samples", ranks=ranks)
    spread: Spread = "slices" if is_joint and not parts.needs_whole_rows else "whole"
    if reach.chosen is not None:
        return RoutePlan(sequential, spread=spread, ranks=ranks)
    if spread == "whole" and is_joint and config.route == "factored":
        raise ValueError(f"route='factored' has no rows, and {config.method} needs them over several processes")
    needs_rows = parts.coordinate is not None or (is_joint and spread == "whole")
    route = "rows" if needs_rows and config.route == "auto" else config.route
    plan = plan_of(route, shared, reach.graph, len(step.losses), reach.groups, ranks, state.known_rows)
    plan.spread = spread
    return plan


def _look(state: State, monitor: Monitor, reach: Reach, jacobian: Jacobian, decision: StepDecision) -> None:
    """Let the monitor see a decision, and now and then heads that only seem shared."""
    parts, gramian, names = state.config.parts, decision.gramian, reach.step.names
    assert gramian is not None
    decides = parts.aggregator is not None or parts.row is not None
    monitor.balance.decided(names, reach.balanced, gramian, decision.weights if decides else None)
    if decides and state.steps >= monitor.looks.next and not monitor.balance.has_collapsed:
        _look_at_gradients(state, monitor, reach, gramian, decision.weights)
    if reach.chosen is None and state.ranks.size == 1 and state.config.route != "low-memory":
        monitor.heads.look(
            reach.graph.named,
            gramian,
            state.steps,
            lambda: reach.graph.under_joins,
            partial(jacobian.single_task_tensors, len(names)),
        )


def _look_at_gradients(state: State, monitor: Monitor, reach: Reach, gramian: Tensor, weights: Tensor) -> None:
    """Let the monitor see the gradients of a step that is due, by their gramian [K, K] and weights [K]."""
    step, among = reach.step, reach.balanced
    if len(among) > 1:
        stated = state.config.method.stated([step.present[k] for k in among]) or [1.0] * len(among)
        monitor.looks.look(
            state.steps,
            [step.names[k] for k in among],
            [step.weights[k] * factor for k, factor in zip(among, stated, strict=True)],
            gramian[among][:, among],
            weights[among],
            sum(leaf.numel() for leaf in reach.measured),
        )
