"""One step of several micro-batches: gradients wait until the last of them goes backward."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from equipoise.balancer.balanced import Gradients, delivered
from equipoise.balancer.reach import Reach, groups_of, roles_of
from equipoise.balancer.state import State
from equipoise.chain import linearise
from equipoise.gradients.accumulation import Micro
from equipoise.gradients.parts import is_in_parts
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import seed
from equipoise.gradients.surrogate import GraphErrors, surrogate
from equipoise.step import Step, labels_of, take_step


def set_micro_batches(state: State, micro_batches: int) -> None:
    """Make a step of so many micro-batches; see ``Balancer.accumulate``."""
    waiting = state.accumulation.waiting
    if not isinstance(micro_batches, int) or micro_batches < 1:
        raise ValueError(f"micro_batches must be a positive number, got {micro_batches!r}")
    if micro_batches > 1 and state.config.gramian_from is not None:
        raise ValueError("accumulate(n) has no use with gramian_from: their graphs are gone when weights are known")
    if micro_batches > 1 and state.config.route == "low-memory":
        raise ValueError("accumulate(n) keeps all tasks' gradients, which route='low-memory' is to avoid: use 'auto'")
    if micro_batches <= waiting:
        raise ValueError(
            f"micro_batches is {micro_batches} and {waiting} wait already: end their step with "
            "balancer.finish().backward(), or forget it with balancer.drop()"
        )
    state.micro_batches = micro_batches


def accumulated(state: State, step: Step, counts: Mapping[str, float], is_over: bool = False) -> Tensor:
    """A scalar that keeps its gradients, and delivers those of all micro-batches if it is the last."""
    if step.representation is not None:
        raise ValueError("representation has no use with accumulate(n): its graph is gone when weights are known")
    graph = state.parameters.graph_of(step.losses)
    if any(map(is_in_parts, graph.named.values())):
        raise ValueError("accumulate(n) needs whole parameters: let the trainer accumulate where they are sharded")
    step.require_graph()
    names, accumulation, roles = state.config.names, state.accumulation, Roles()
    numbers = {k: labels_of(counts, name) for k, name in zip(step.present, step.names, strict=True) if name in counts}
    labelled = step.only([k for k in step.present if numbers.get(k) != 0])  # no labels: as if it were absent
    if labelled is not step:
        step, graph = labelled, state.parameters.graph_of(labelled.losses)
    graph.require_visible()
    graph.require_several_passes()
    if step.losses:
        roles = roles_of(state, step, graph)
        _require_unchanging(state, roles)
    learned = [p for p in state.config.parts.weighting.parameters() if p.requires_grad]
    leaves = list(dict.fromkeys([*roles.leaves, *accumulation.leaves, *learned]))
    parts = {k: step.parts[names[k]] for k in step.present if names[k] in step.parts}
    micro = None if is_over else Micro(step.present, step.losses, step.raw, parts, graph, roles, numbers)
    # so that a micro-batch without losses goes backward too
    start = torch.zeros((), device=state.parameters.device, requires_grad=True)
    backward = partial(_backward, state, micro, step, leaves, learned)
    return surrogate(step.total.to(state.parameters.device), [start, *leaves], backward)


def finished(state: State) -> Tensor:
    """A zero whose backward delivers what waits."""
    if state.ranks.size > 1:
        raise RuntimeError(
            "finish() has no forward pass of DDP, which averages heads only after one: say "
            "accumulate(balancer.waiting + 1) before the last micro-batch, or drop() what waits"
        )
    return accumulated(state, take_step(state.weights.now, {}, None), {}, is_over=True)


def _backward(
    state: State, micro: Micro | None, step: Step, leaves: list[Tensor], learned: Sequence[Tensor], incoming: Tensor
) -> Gradients:
    """The gradient of the start and of every leaf: zeros, until the step is over."""
    accumulation, gradients = state.accumulation, dict[Tensor, Tensor | None]()
    with state.guard, GraphErrors(step.raw, state.config.method):
        if micro is not None:
            if state.monitor is not None and state.monitor.heads.looks_for_joins:
                accumulation.under_joins |= micro.graph.under_joins
            try:
                accumulation.add(micro, incoming)
            except BaseException:
                accumulation.drop()  # a part of its gradients is in the sums
                raise
        is_over = micro is None or accumulation.waiting >= state.micro_batches
        gradients.update(_of_all(state, learned) if is_over else accumulation.nothing())
        if not gradients.keys() <= set(leaves):
            raise RuntimeError("call .backward() on each micro-batch before the balancer sees the next one")
        return [None, *(gradients.get(leaf) for leaf in leaves)]


def _require_unchanging(state: State, roles: Roles) -> None:
    renormed = state.parameters.renormed()
    if changing := [renormed[leaf] for leaf in roles.shared if leaf in renormed]:
        raise ValueError(
            f"accumulate(n) has no use with the layer {changing[0]!r}, which scales its weights in each forward pass "
            "(max_norm), while gradients of earlier micro-batches wait: leave max_norm out, or accumulate in the "
            "training loop alone, which balances each micro-batch"
        )


def _of_all(state: State, learned: Sequence[Tensor]) -> dict[Tensor, Tensor | None]:
    """Balance what waits: a gradient for every leaf."""
    config, accumulation, monitor = state.config, state.accumulation, state.monitor
    try:
        every = accumulation.close(state.ranks)
        if not every.tasks:
            return {}
        means = {config.names[k]: loss for k, loss in every.losses.items()}
        parts = {config.names[k]: of for k, of in every.parts.items()}
        step = replace(take_step(state.weights.now, means, None), parts=parts)
        step = step.stated(config.method.stated(step.present))
        if monitor is not None and not every.roles.shared and len(every.tasks) > 1:
            monitor.nothing_shared()
        objective, scales = linearise(config.parts.weighting, step.stacked, step.tasks)
        incoming = every.incoming.to(step.stacked)
        every.jacobian.average(len(every.tasks))
        graph = state.parameters.graph_of([])
        graph.under_joins = accumulation.under_joins
        reach = Reach(step, graph, every.roles, None, groups_of(state, graph.named, every.roles))
        route = f"rows, of {accumulation.waiting} micro-batches"
        by_losses = not config.parts.takes_gradients  # an objective weighs everything, what one task alone reaches too
        unshared = every.unshared(scales.tolist() if by_losses else None)
        noted = objective.detach() if by_losses else None
        found = delivered(state, reach, every.jacobian, unshared, scales, incoming, route, noted)
        gradients = dict(zip(every.roles.leaves, found, strict=True))
        if learned:
            of_learned = torch.autograd.grad(objective, learned, seed(objective, incoming), allow_unused=True)
            gradients.update(zip(learned, of_learned, strict=True))
        if monitor is not None:
            monitor.went_backward()
        return gradients
    finally:
        accumulation.drop()
