"""The scalar that a step gives, and what its backward pass will do."""

from functools import partial

import torch
from torch import Tensor

from equipoise.balancer.backward import backward, measure
from equipoise.balancer.reach import reach_of, require_deliverable, roles_of
from equipoise.balancer.state import State
from equipoise.chain import linearise
from equipoise.gradients.freed import note_backward, require_unused
from equipoise.gradients.surrogate import surrogate, with_gradient_of
from equipoise.plain_sum import Sum
from equipoise.step import Step


def balanced_by_gradients(state: State, step: Step) -> Tensor:
    """A scalar that balances the tasks' gradients when it goes backward."""
    reach = reach_of(state, step)
    require_deliverable(state, reach)
    weighting, watched, learns = state.config.parts.weighting, list(reach.graph.leaves), False
    objective, scales = step.total, torch.ones_like(step.stacked)
    if not isinstance(weighting, Sum):
        objective, scales = linearise(weighting, step.stacked, step.tasks)
        learns = any(p.requires_grad for p in weighting.parameters())
    is_watched = state.monitor is not None and state.monitor.is_due_for_optimisers(state.steps + 1)
    if is_watched and learns:
        watched += state.parameters.graph_of([objective]).leaves
    on_backward = partial(backward, state, reach, scales, watched if is_watched else None)
    loss = surrogate(step.total, reach.roles.leaves, on_backward)
    return loss + (objective - objective.detach()) if learns else loss


def balanced_by_losses(state: State, step: Step) -> Tensor:
    """A scalar of the total's value and the gradient of the weighting's objective: one ordinary backward pass."""
    if not state.has_seen_losses:  # raises if this is the wrong model
        graph = state.parameters.graph_of(step.losses)
        if not graph.hides_parameters():
            roles_of(state, step, graph)
        state.has_seen_losses = True
    objective = state.config.parts.weighting(step.stacked, step.tasks)
    monitor, reached = state.monitor, None
    if monitor is not None and monitor.is_due_for_optimisers(state.steps + 1):
        reached = list(state.parameters.graph_of([objective]).leaves)
    # empty but for the backward: a hook that held the step or the objective would keep its graph
    seen: list[tuple[Step, Tensor]] = []
    value = objective.detach()

    def on_losses(gradient: Tensor) -> None:
        step, incoming = seen.pop()
        require_unused(step.raw, state.config.method)
        note_backward(step.raw, state.config.method)
        gramian = measure(state, reach_of(state, step), incoming)[0] if state.is_probe_due else None
        if monitor is not None and reached is not None:
            monitor.optimisers(state.parameters.named(), set(reached), ())
        state.note(step, gradient.detach() / incoming, gramian, route="objective", objective=value)
        if monitor is not None:
            monitor.went_backward()

    step.stacked.register_hook(on_losses)
    loss = with_gradient_of(step.total, objective, lambda incoming: seen.append((step, incoming)))
    if monitor is not None:
        monitor.returns(loss, objective)
    return loss
