"""Who reaches what in one step, and where its gradients are measured."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.balancer.config import Config
from equipoise.balancer.state import State
from equipoise.gradients.graph import Graph
from equipoise.gradients.roles import Roles
from equipoise.step import Step
from equipoise.torch_private.processes import has_flat_of_fsdp


@dataclass
class Reach:
    """One step of K losses.

    ``balanced`` are the tasks that reach something shared, by their numbers within the step, ``tasks`` the same by
    their numbers among all tasks, on the CPU.
    """

    step: Step
    graph: Graph
    roles: Roles
    chosen: list[Tensor] | None  # at which gradients are measured; None for all shared parameters
    groups: list[list[Tensor]]  # of parameters that the method weighs apart

    @property
    def measured(self) -> list[Tensor]:
        """The tensors at which gradients are measured."""
        return self.roles.shared if self.chosen is None else self.chosen

    def __post_init__(self) -> None:
        self.balanced = [k for k in range(len(self.step.losses)) if self.roles.sharing >> k & 1]
        of_all = [self.step.present[k] for k in self.balanced]
        self.tasks = torch.tensor(of_all, dtype=torch.int64, device="cpu")


def reach_of(state: State, step: Step) -> Reach:
    """The reach of a step whose gradients can be measured.

    Raises:
        RuntimeError: If the graph hides parameters.
        ValueError: If a task does not pass where gradients are measured.
    """
    graph = state.parameters.graph_of(step.losses)
    graph.require_visible()
    _require_gradients_of_tasks(graph.named.values())
    roles = roles_of(state, step, graph)
    groups = groups_of(state, graph.named, roles)
    chosen, given = None, state.config.gramian_from
    if step.representation is not None:
        chosen = [step.representation]
    elif given is not None:
        chosen = given.trainable()
    reach = Reach(step, graph, roles, chosen, groups)
    if chosen is not None:
        _require_all_through(reach, chosen)
    return reach


def roles_of(state: State, step: Step, graph: Graph) -> Roles:
    """The roles of the leaves of a step; what is new of who reaches what is remembered."""
    parameters, num_tasks, is_joint = state.parameters, len(state.config.names), state.ranks.size > 1
    if not is_joint:  # else the ranks have agreed on it
        parameters.learn(graph, step.present, num_tasks)
    return parameters.roles(graph, step.present, num_tasks, is_joint, state.config.parts.has_coordinate_state)


def needs_gramian(state: State, reach: Reach) -> bool:
    """Whether the method will read it, or the engine must, to find out who owns what in a compiled graph."""
    return reach.graph.is_gathered or _has_unsure(state, reach) or method_needs_gramian(state.config, reach)


def method_needs_gramian(config: Config, reach: Reach) -> bool:
    """Whether the method will read the gramian of this step, or its rows."""
    parts = config.parts
    if not reach.balanced or not parts.decides_weights:
        return True
    by_gramian = parts.aggregator is not None and parts.aggregator.needs_gramian(reach.tasks)
    return by_gramian or (parts.row is not None and parts.row.needs_rows(reach.tasks))


def groups_of(state: State, named: Mapping[str, Tensor], roles: Roles) -> list[list[Tensor]]:
    """The groups of parameters, given by name, that the method weighs apart; none where it does not.

    Raises:
        ValueError: If a parameter is in two groups, or a shared one in none.
    """
    group = state.config.parts.group
    if group is None:
        return []
    groups = group.groups_of(named)
    grouped = {parameter for some in groups for parameter in some}
    if len(grouped) < sum(map(len, groups)):
        raise ValueError(f"{group} has a parameter in two groups: groups must be disjoint")
    strays = [name for name, leaf in zip(roles.names, roles.shared, strict=True) if leaf not in grouped]
    if strays:
        raise ValueError(f"{', '.join(strays)} are shared by tasks and in no group of {group}")
    return groups


def require_deliverable(state: State, reach: Reach) -> None:
    """Raise, or warn, if the combined gradient cannot be delivered, or is not balanced.

    Raises:
        RuntimeError: If the graph allows one pass only, or DDP takes no gradient where one is due.
        ValueError: If roles are unknown that ``heads="raw"`` needs.
    """
    config, step, graph, roles = state.config, reach.step, reach.graph, reach.roles
    if state.ranks.size > 1 and step.representation is None and graph.ambiguous:
        raise RuntimeError(
            "in several processes a compiled graph does not tell which parameters are one task's own: leave the "
            "model uncompiled, or give the compiled trunk's output as representation="
        )
    if roles.unused_parameters:
        raise RuntimeError(
            f"{', '.join(roles.unused_parameters)} are shared by tasks, and the forward pass of this rank did not use "
            "them, so DDP takes no gradient there: run them on every rank, or balance by losses (Sum, Fixed, UW, DWA)"
        )
    if state.monitor is not None and not roles.shared and len(step.losses) > 1:
        state.monitor.nothing_shared()
    own = [leaf for leaf, _ in (*roles.private, *roles.outside)]
    graph.require_several_passes(None if reach.chosen is None else [*reach.chosen, *own])
    if config.gramian_from is not None and config.heads == "raw" and graph.ambiguous:
        raise ValueError(
            "with gramian_from a compiled graph does not tell which parameters are one task's own: leave "
            "gramian_from out, or say heads='weighted'"
        )


def _has_unsure(state: State, reach: Reach) -> bool:
    parameters, num_tasks = state.parameters, len(state.config.names)
    return bool(parameters.ambiguous) and any(parameters.is_unsure(name, num_tasks) for name in reach.roles.names)


def _require_gradients_of_tasks(parameters: Collection[Tensor]) -> None:
    """Raise for parameters whose gradients of single tasks nobody can have."""
    kind = "FSDP1" if has_flat_of_fsdp(parameters) else ""
    for parameter in parameters:
        if hasattr(parameter, "ds_id"):
            kind = "DeepSpeed ZeRO"
    if kind:
        raise RuntimeError(
            f"{kind} makes no gradients of single tasks: shard with fully_shard (FSDP2), or balance by losses (Sum, "
            "Fixed, UW, DWA)"
        )


def _require_all_through(reach: Reach, chosen: list[Tensor]) -> None:
    """Raise if a task trains something shared and yet has no gradient where gradients are measured."""
    step = reach.step
    passing = sum(1 << k for k, loss in enumerate(step.losses) if loss.is_leaf)  # absent here, not elsewhere
    for tensor in chosen:
        passing |= reach.graph.reaching(tensor)
    past = [name for k, name in enumerate(step.names) if reach.roles.sharing & ~passing & 1 << k]
    if past:
        where = "the parameters of gramian_from" if step.representation is None else "the representation"
        raise ValueError(
            f"the loss of {', '.join(map(repr, past))} does not reach {where}: gradients can be compared only "
            "where every task that trains shared parameters passes"
        )
