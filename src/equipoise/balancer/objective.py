"""One step of a loss weighting: one ordinary backward pass, of the total's value and the objective's gradient."""

from torch import Tensor

from equipoise.balancer.backward import measure
from equipoise.balancer.reach import reach_of, roles_of
from equipoise.balancer.state import State
from equipoise.gradients.freed import note_backward, require_unused
from equipoise.gradients.surrogate import with_gradient_of
from equipoise.step import Step


def balanced_by_losses(state: State, step: Step) -> Tensor:
    """A scalar whose gradient is that of the weighting's objective."""
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
