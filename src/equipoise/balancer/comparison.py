"""Where and how one step's gradients are compared: who reaches what, at which points, in which passes."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from equipoise.balancer.setup import Setup
from equipoise.gradients.delivery import Decide, Decision, Delivery
from equipoise.gradients.freed import explained
from equipoise.gradients.fsdp import harvested
from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian, Spread
from equipoise.gradients.parts import is_in_parts, require_gradients_of_tasks
from equipoise.gradients.plan import Plan, plan_of
from equipoise.gradients.roles import Roles
from equipoise.gradients.routes import sequential
from equipoise.step import Step

Apart = dict[int, tuple[int, Tensor]]  # place among the shared tensors -> (task within the step, its gradient)


@dataclass
class Comparison:
    """One step."""

    setup: Setup
    step: Step
    graph: Graph
    roles: Roles
    groups: list[list[Tensor]]

    @property
    def balanced(self) -> list[int]:
        """The tasks that reach something shared, by their numbers within the step."""
        return [k for k in range(len(self.step.losses)) if self.roles.sharing >> k & 1]

    @property
    def tasks(self) -> Tensor:
        """The same among all tasks, on the CPU."""
        return torch.tensor([self.step.present[k] for k in self.balanced], dtype=torch.int64, device="cpu")

    @cached_property
    def points(self) -> list[Tensor] | None:
        """The tensors at which gradients are compared; ``None`` for all shared parameters."""
        if self.step.representation is not None:
            return [self.step.representation]
        return None if self.setup.chosen is None else self.setup.chosen.trainable()

    def needs_gramian(self) -> bool:
        """Whether the method will read it, or the engine must, to find out who owns what in a compiled graph."""
        given = self.setup.given
        if given.is_sharded_by_fsdp() or any(given.is_unsure(name, len(self.setup.names)) for name in self.roles.names):
            return True
        return self.setup.needs_gramian(self.balanced, self.tasks)

    def deliver(self, decide: Decide, incoming: Tensor) -> list[Tensor | None]:
        """The gradient of every leaf, at the weights that are decided once gradients are compared."""
        setup, step = self.setup, self.step
        plan = self.plan
        delivery = Delivery(step.losses, self.graph, self.roles, setup.jacobian, setup.heads, decide)
        try:
            if step.representation is not None:
                return delivery.at_representation(plan, step.representation, incoming)
            if self.points is not None:
                return delivery.at_parameters(plan, self.points, incoming)
            return delivery.at_shared(plan, incoming)
        finally:
            setup.jacobian.release()

    def measure(self, incoming: Tensor) -> tuple[Tensor, Tensor]:
        """The gramian [K, K] alone, and the rows [K, P] for a method that decides by them, else [K, 0].

        Delivers nothing, and leaves the graph alive.
        """
        setup, step, found = self.setup, self.step, list[tuple[Tensor, Tensor]]()

        def keep(jacobian: Jacobian, others: list[Tensor]) -> Decision:
            self.set_apart(jacobian)
            gramian, factor = jacobian.gramian(len(step.losses), incoming)
            rows = gramian[:, :0] if setup.parts.row is None else jacobian.rows(len(step.losses)) / float(factor)
            found.append((gramian / factor**2, rows))
            return gramian, None

        measured = self.roles.shared if self.points is None else self.points
        self.graph.require_several_passes(measured)
        with setup.turn.taken(), explained(step.raw, setup.method):
            try:
                delivery = Delivery(step.losses, self.graph, Roles(), setup.jacobian, "raw", keep)
                delivery.measure(measured, self.plan, incoming)
            finally:
                setup.jacobian.release()
        return found[0]

    @cached_property
    def plan(self) -> Plan:
        """How to take the gradients."""
        setup, shared, parts = self.setup, self.roles.shared, self.setup.parts
        if any(map(is_in_parts, shared)):
            if self.points is not None or parts.needs_whole_rows:
                raise ValueError(
                    f"{setup.method} over sharded parameters compares the gradients of all of them, and needs no "
                    "single rows: leave out representation and gramian_from, and methods by coordinate or by group"
                )
            passes = harvested if setup.given.is_sharded_by_fsdp() else sequential
            return Plan(passes, "rows", spread="parts", why=dict.fromkeys(shared, "rows, by this rank's part"))
        if self.step.representation is not None:
            return Plan(sequential, spread="samples")
        spread: Spread = "slices" if setup.is_joint and not parts.needs_whole_rows else "whole"
        if self.points is not None:
            return Plan(sequential, spread=spread)
        if spread == "whole" and setup.is_joint and setup.route == "factored":
            raise ValueError(f"route='factored' has no rows, and {setup.method} needs them over several processes")
        needs_rows = parts.coordinate is not None or (setup.is_joint and spread == "whole")
        route = "rows" if needs_rows and setup.route == "auto" else setup.route
        ranks = setup.jacobian.ranks
        plan = plan_of(route, shared, self.graph, len(self.step.losses), self.groups, ranks)
        plan.spread = spread
        return plan

    def describe(self) -> str:
        """The plan, for the record."""
        if self.step.representation is not None:
            return "representation"
        return self.plan.describe(self.roles.names) if self.points is None else "chosen parameters"

    def set_apart(self, jacobian: Jacobian) -> Apart:
        """Take from the jacobian what a compiled graph calls shared and one task alone has ever moved."""
        apart: Apart = {}
        given, num_tasks, num_rows = self.setup.given, len(self.setup.names), len(self.step.losses)
        if self.points is not None:
            return apart
        for place, (name, leaf) in enumerate(zip(self.roles.names, self.roles.shared, strict=True)):
            if given.is_unsure(name, num_tasks):
                moving = jacobian.moving(leaf, num_rows)
                among_all = sum((moving >> k & 1) << task for k, task in enumerate(self.step.present))
                given.reached[name] = given.reached.get(name, 0) | among_all
                if given.is_unsure(name, num_tasks):
                    apart[place] = max(moving.bit_length() - 1, 0), jacobian.set_apart(leaf, num_rows)
        return apart


def compare(setup: Setup, step: Step) -> Comparison:
    """The comparison of a step, if its gradients can be compared and their combination delivered.

    Raises:
        RuntimeError: If the graph hides parameters or allows one pass only.
        ValueError: If a task does not pass where gradients are compared.
    """
    comparison = compare_only(setup, step)
    graph, roles, points = comparison.graph, comparison.roles, comparison.points
    if setup.is_joint and step.representation is None and graph.blurred:
        raise RuntimeError(
            "in several processes a compiled graph does not tell which parameters are one task's own: leave the "
            "model uncompiled, or give the compiled trunk's output as representation="
        )
    if roles.unawaited:
        raise RuntimeError(
            f"{', '.join(roles.unawaited)} are shared by tasks, and the forward pass of this rank did not use them, so "
            "DDP takes no gradient there: run them on every rank, or balance by losses (Sum, Fixed, UW, DWA)"
        )
    if setup.monitor is not None and not roles.shared and len(step.losses) > 1:
        setup.monitor.nothing_shared()
    ends = None if points is None else [*points, *(leaf for leaf, _ in (*roles.private, *roles.outside))]
    graph.require_several_passes(ends)
    if setup.chosen is not None and setup.heads == "raw" and graph.blurred:
        raise ValueError(
            "with gramian_from a compiled graph does not tell which parameters are one task's own: leave "
            "gramian_from out, or say heads='weighted'"
        )
    return comparison


def compare_only(setup: Setup, step: Step) -> Comparison:
    """The comparison of a step whose combined gradient nobody asks for."""
    graph = setup.given.graph_of(step.losses)
    graph.require_visible()
    require_gradients_of_tasks(setup.given.named().values())
    roles = setup.roles(step, graph)
    comparison = Comparison(setup, step, graph, roles, setup.groups(roles))
    _require_all_through(comparison)
    return comparison


def _require_all_through(comparison: Comparison) -> None:
    """Raise if a task trains something shared and yet has no gradient where gradients are compared."""
    step, graph, roles = comparison.step, comparison.graph, comparison.roles
    if comparison.points is None:
        return
    passing = sum(1 << k for k, loss in enumerate(step.losses) if loss.is_leaf)  # absent here, not elsewhere
    for point in comparison.points:
        passing |= graph.reaching(point)
    past = [name for k, name in enumerate(step.names) if roles.sharing & ~passing & 1 << k]
    if past:
        where = "the parameters of gramian_from" if step.representation is None else "the representation"
        raise ValueError(
            f"the loss of {', '.join(map(repr, past))} does not reach {where}: gradients can be compared only "
            "where every task that trains shared parameters passes"
        )
