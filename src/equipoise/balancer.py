"""The balancer: many losses in, one scalar out, balanced when it goes backward."""

import math
import warnings
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from equipoise.gradients.delivery import Decision, Delivery
from equipoise.gradients.fsdp import harvested
from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian, Spread
from equipoise.gradients.parts import is_in_parts, require_gradients_of_tasks
from equipoise.gradients.plan import ROUTES, Plan, plan_of
from equipoise.gradients.ranks import ranks_of
from equipoise.gradients.roles import Parameters, Roles
from equipoise.gradients.routes import sequential
from equipoise.gradients.surrogate import surrogate, with_gradient_of
from equipoise.joint import joint_step
from equipoise.method import Aggregator, Method, Sum, linearise, split
from equipoise.misuse import Misuse
from equipoise.record import Record
from equipoise.step import Step, indices, on_one_device, take_step, user_weights
from equipoise.tasks import TaskLosses, Tasks

_USER_WEIGHT_WARNINGS = {
    "ignored": "does not depend on the scale of a loss, so the weights {weights} do not change its balance",
    "inverts": "listens to small gradients, so the weights {weights} make heavier tasks count less in its direction",
}


class Balancer(nn.Module):
    """One scalar from many losses, whose ``.backward()`` delivers the balanced gradient.

    Args:
        method: How to balance; one object serves one balancer.
        parameters: The model, or an iterable of the parameters to balance. A module is read at every
            step. Nothing is registered: the model stays the user's.
        tasks: ``Tasks``, names, or {name: weight}: the order, the names and the users' weights.
        heads: What a gradient method does with parameters that one task alone reaches: ``"raw"``
            leaves their gradient, ``"weighted"`` multiplies it by the task's weight. Weights of some methods
            (ConFIG, IMTL-G) may be negative: their heads would climb, so leave those raw.
        gramian_from: A module or parameters at which the gradients are compared, by default all that
            are shared. The weights found there hold for all shared parameters.
        route: How the gradients of shared parameters are taken; equal mathematics, for measurement.
            ``"auto"`` takes factors where they cost less than rows, ``"factored"`` wherever there are
            some, ``"rows"`` a backward per task, ``"batched"`` one with K seeds. Of no effect where
            gradients are compared at a representation or at ``gramian_from``, or not at all.
        probe_every: For methods that need no gradients of single tasks: measure them all the same,
            for ``record``, every so many steps, at the cost of K backwards. 0 never.
        ranks: The processes that train replicas of these parameters together, each on its share of the batch:
            ``"auto"`` finds them (the group of ``DistributedDataParallel``, else the default group),
            ``"local"`` balances this process alone, a process group says it.

    Raises:
        ValueError: If an argument is out of its range.

    >>> from equipoise.method import Sum
    >>> model = nn.Linear(3, 2)
    >>> balancer = Balancer(Sum(), model, tasks=["left", "right"])
    >>> left, right = model(torch.ones(3))
    >>> balancer({"left": left**2, "right": right**2}).backward()
    >>> balancer.record.weights
    {'left': 1.0, 'right': 1.0}
    """

    def __init__(
        self,
        method: Method,
        parameters: nn.Module | Iterable[Tensor],
        *,
        tasks: Tasks | Iterable[str] | Mapping[str, float],
        heads: Literal["raw", "weighted"] = "raw",
        gramian_from: nn.Module | Iterable[Tensor] | None = None,
        route: Literal["auto", "rows", "batched", "factored"] = "auto",
        probe_every: int = 0,
        ranks: Any = "auto",
    ) -> None:
        super().__init__()
        if isinstance(parameters, type):
            raise ValueError(f"parameters is the class {parameters.__name__}: give the model itself")
        if not isinstance(method, Method):
            raise ValueError(f"method must be a method such as MGDA() or eq.method('mgda'), got {method!r:.80}")
        if heads not in ("raw", "weighted"):
            raise ValueError(f"heads must be 'raw' or 'weighted', got {heads!r}")
        if route not in ROUTES:
            raise ValueError(f"route must be one of {', '.join(map(repr, ROUTES))}, got {route!r}")
        if not isinstance(probe_every, int) or probe_every < 0:
            raise ValueError(f"probe_every must be 0 or a number of steps, got {probe_every!r}")
        self.method = method
        self.heads, self.route, self.probe_every, self.ranks = heads, route, probe_every, ranks
        self.user_weights = user_weights(tasks)
        self.record: Record | None = None
        self._given = Parameters(parameters)
        self._chosen = None if gramian_from is None else Parameters(gramian_from)
        self._parts = split(method)  # a tuple, so that nothing is registered twice
        self._jacobian = Jacobian()
        self._steps = 0
        self._is_checked = False
        if self._parts.coordinate is not None and self._chosen is not None:
            raise ValueError("gramian_from has no use in a coordinate method: it needs all rows")
        if self._parts.coordinate is not None and route == "factored":
            raise ValueError(f"route='factored' has no rows, and {method} needs them: use 'auto', 'rows' or 'batched'")
        self._bind()

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order."""
        return tuple(self.user_weights)

    def forward(
        self,
        losses: Mapping[str, Tensor],
        *,
        counts: Mapping[str, float] | None = None,
        representation: Tensor | None = None,
    ) -> Tensor:
        """One scalar, equal to the user-weighted total; call ``.backward()`` on it once.

        Args:
            losses: Raw scalar losses by task name; a task that is not there is absent from this step.
            counts: The labels behind each mean, by task name; by default those that ``Tasks.losses``
                counted. They weigh the ranks of a distributed run; one process has nothing to weigh.
            representation: A tensor between the shared trunk and the heads. The tasks' gradients are
                then compared there, and the trunk is passed once.

        Raises:
            ValueError: If a name is unknown, a loss is not a scalar or has no graph, or no loss
                reaches the parameters.
            RuntimeError: If a method that has state or takes gradients runs in several processes, or a
                gradient method meets a graph that allows one backward only.
        """
        step = take_step(self.user_weights, losses, representation)
        if counts is None:
            counts = losses.counts if isinstance(losses, TaskLosses) else {}
        indices(self.names, counts)
        if representation is not None and self._parts.coordinate is not None:
            raise ValueError("representation has no use in a coordinate method: it needs all rows")
        if representation is not None and self._chosen is not None:
            raise ValueError("give gramian_from or a representation, not both")
        if not torch.is_grad_enabled():
            return step.total
        step.require_graph()
        self._jacobian.ranks = ranks_of(self.ranks, self._given.source)
        if self._is_joint:
            step = self._joint(step, counts)
        if not step.losses:
            return self._nothing(step)
        return self._by_gradients(step) if self._parts.takes_gradients else self._by_objective(step)

    def end_epoch(self) -> None:
        """Tell the method that an epoch has ended; call it once per epoch."""
        self.method.end_epoch()

    def observe(self, results: Mapping[str, float]) -> None:
        """Tell the method validation results by task name, higher is better."""
        tasks = indices(self.names, results)
        values = torch.tensor([float(results[self.names[k]]) for k in tasks], dtype=torch.float64)
        self.method.observe(values, torch.tensor(tasks))

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Tell the method the raw losses of the same batch after the optimiser's step."""
        with torch.no_grad():
            step = take_step(self.user_weights, losses, None)
            if step.losses:
                self.method.after_step(step.stacked, step.tasks)

    def get_extra_state(self) -> dict[str, Any]:
        """What ``state_dict`` holds beside the method's state: steps, and which tasks reached what."""
        return {"names": list(self.names), "steps": self._steps, "reached": dict(self._given.reached)}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what ``get_extra_state`` gave; the tasks must be the same, in the same order."""
        if tuple(state["names"]) != self.names:
            raise ValueError(f"the saved state is of tasks {state['names']}, this balancer has {list(self.names)}")
        self._steps, self._given.reached = state["steps"], dict(state["reached"])

    def extra_repr(self) -> str:
        """The tasks with the users' weights, and the options."""
        return f"tasks={self.user_weights}, heads={self.heads!r}, route={self.route!r}"

    def _bind(self) -> None:
        """Give the method its size, its device and the users' weights."""
        for part in self.method.modules():
            if isinstance(part, Method):
                part.require_unbound()
        self.method.bind(len(self.names))
        self.method.to(self._given.device)
        self._misuse = Misuse(self.method, self._given.named())
        weights = list(self.user_weights.values())
        if set(weights) != {1.0}:
            self.method.prefer(torch.tensor(weights, dtype=torch.float64))
            if text := _USER_WEIGHT_WARNINGS.get(self.method.user_weight):
                warnings.warn(f"{self.method} {text.format(weights=self.user_weights)}", stacklevel=3)

    def _nothing(self, step: Step) -> Tensor:
        """A loss for a step with nothing to learn from: its backward does nothing but tell other ranks so."""
        leaf = step.total.to(self._given.device).requires_grad_()
        waited_for = self._given.trainable() if self._is_joint else []
        return surrogate(leaf, waited_for, lambda _: [None] * len(waited_for))

    @property
    def _is_joint(self) -> bool:
        """Whether other ranks take part."""
        return self._jacobian.ranks.size > 1

    def _joint(self, step: Step, counts: Mapping[str, float]) -> Step:
        """The step of all ranks."""
        ranks, given = self._jacobian.ranks, self._given
        where = "a representation" if step.representation is not None else "parameters"
        word = f"{self.method} for tasks {self.user_weights}, heads={self.heads!r}, compared at {where}"
        news = given.learn(given.graph_of(step.losses), step.present, len(self.names))
        joint = joint_step(step, counts, self.user_weights, ranks, given.device, word, news)
        if joint.partly and given.is_sharded_by_fsdp():
            raise ValueError(
                f"{', '.join(map(repr, joint.partly))} has a loss on some ranks only, where FSDP waits for all: give "
                "the others a loss of zeros, such as 0 * outputs[name].sum(), with counts[name] = 0"
            )
        if joint.news:
            given.agree(len(self.names), ranks)
        return joint.step

    def _by_objective(self, step: Step) -> Tensor:
        """One backward pass: the total's value, the objective's gradient."""
        if not self._is_checked:  # raises if this is the wrong model
            graph = self._given.graph_of(step.losses)
            if not graph.hides_parameters():
                self._roles(step, graph)
            self._is_checked = True
        objective = self._parts.weighting(step.stacked, step.tasks)
        seen: list[Tensor] = []

        def on_losses(gradient: Tensor) -> None:
            incoming = seen.pop()
            gramian = self._probe(step, incoming) if self._is_due() else None
            self._note(step, gradient.detach() / incoming, gramian, route="objective")

        step.stacked.register_hook(on_losses)
        loss = with_gradient_of(step.total, objective, seen.append)
        return self._with_idle(loss, step) if self._is_joint else loss

    def _with_idle(self, loss: Tensor, step: Step) -> Tensor:
        """The loss, reaching also what no loss of this rank reaches: the others wait for its gradient."""
        graph = self._given.graph_of(step.losses)
        roles = self._given.roles(graph, step.present, len(self.names), joint=True)
        idle = [leaf for leaf in roles.leaves if leaf not in graph.leaves]
        return loss + surrogate(torch.zeros_like(loss), idle, lambda _: [None] * len(idle)) if idle else loss

    def _by_gradients(self, step: Step) -> Tensor:
        """A surrogate that balances the tasks' gradients when it goes backward."""
        graph = self._given.graph_of(step.losses)
        graph.require_several_passes()
        require_gradients_of_tasks(self._given.named().values())
        roles = self._roles(step, graph)
        if not roles.shared and len(step.losses) > 1:
            warnings.warn("no parameter is shared by two tasks: there is nothing to balance", stacklevel=4)
        chosen = None if self._chosen is None else self._chosen.trainable()
        self._require_all_through(step, graph, roles, chosen)
        objective, scales = step.total, torch.ones_like(step.stacked)
        if not isinstance(self._parts.weighting, Sum):
            objective, scales = linearise(self._parts.weighting, step.stacked, step.tasks)

        def backward(incoming: Tensor) -> list[Tensor | None]:
            graph.delay_to_the_outer_pass()
            plan = self._plan(step, graph, roles.shared)
            decide = partial(self._decide, step, roles, scales, incoming, self._describe(step, plan, roles))
            delivery = Delivery(step.losses, graph, roles, self._jacobian, self.heads, decide)
            try:
                if step.representation is not None:
                    return delivery.at_representation(plan, step.representation, incoming)
                if chosen is not None:
                    return delivery.at_parameters(plan, chosen, incoming)
                return delivery.at_shared(plan, incoming)
            finally:
                self._jacobian.release()

        loss = surrogate(step.total, roles.leaves, backward)
        if any(p.requires_grad for p in self._parts.weighting.parameters()):
            loss = loss + (objective - objective.detach())
        return loss

    def _decide(
        self,
        step: Step,
        roles: Roles,
        scales: Tensor,
        incoming: Tensor,
        route: str,
        jacobian: Jacobian,
        others: list[Tensor],
    ) -> Decision:
        """Ask the method for weights, unless a number is not finite: then all gradients go through as they are."""
        largest = torch.nn.utils.get_total_norm(others, float("inf")) if others else torch.zeros(())
        gramian, largest, losses, factor, scale = jacobian.gramian(
            len(step.losses), step.stacked, incoming, scales, own=[largest]
        )
        gramian = gramian / factor**2
        numbers = float(gramian.sum() + losses.sum() + largest)  # finite if all of them are
        skipped = float(factor) == 0 or not math.isfinite(numbers)
        weights, mixture = torch.ones_like(scale), None
        balanced = [k for k in range(len(step.losses)) if roles.sharing >> k & 1]
        if not skipped:
            weights = scale.clone()
            tasks = torch.tensor([step.present[k] for k in balanced], dtype=torch.int64)
            if balanced and self._parts.aggregator is not None:
                scaled = (scale[:, None] * gramian * scale)[balanced][:, balanced]
                weights[balanced] *= self._parts.aggregator(scaled, losses[balanced], tasks)
            if not weights.isfinite().all():
                raise RuntimeError(
                    f"{self.method} gave weights {weights.tolist()} for finite gradients: a defect in it"
                )
            if balanced and self._parts.coordinate is not None:
                rows = jacobian.rows(len(step.losses))[balanced]
                unscaled = (weights[balanced] / factor).to(rows)[:, None] * rows
                gradient = self._parts.coordinate(unscaled, step.stacked.detach()[balanced].to(rows), tasks)
                mixture = jacobian.spread(gradient * incoming.to(gradient))
        shown = None if mixture is not None else weights
        self._note(step, shown, gramian, route, skipped)
        is_all = step.representation is None and self._chosen is None and not self._is_joint
        if is_all and len(balanced) > 1 and not skipped and self._misuse.is_due_for_heads(self._steps):
            self._misuse.joined_heads(self._given.named(), jacobian.lonely(len(step.losses)))
        return weights, mixture

    def _require_all_through(self, step: Step, graph: Graph, roles: Roles, chosen: list[Tensor] | None) -> None:
        """Raise if a task trains something shared and yet has no gradient where gradients are compared."""
        points = chosen if step.representation is None else [step.representation]
        if points is None:
            return
        passing = sum(1 << k for k, loss in enumerate(step.losses) if loss.is_leaf)  # absent here, not elsewhere
        for point in points:
            passing |= graph.reaching(point)
        past = [name for k, name in enumerate(step.names) if roles.sharing & ~passing & 1 << k]
        if past:
            where = "the parameters of gramian_from" if step.representation is None else "the representation"
            raise ValueError(
                f"the loss of {', '.join(map(repr, past))} does not reach {where}: gradients can be compared only "
                "where every task that trains shared parameters passes"
            )

    def _roles(self, step: Step, graph: Graph) -> Roles:
        if not self._is_joint:
            self._given.learn(graph, step.present, len(self.names))
        return self._given.roles(graph, step.present, len(self.names), self._is_joint)

    def _plan(self, step: Step, graph: Graph, shared: list[Tensor]) -> Plan:
        """How to take the gradients where they are compared."""
        in_parts = any(map(is_in_parts, shared))
        if in_parts and (step.representation is not None or self._chosen is not None or self._parts.coordinate):
            raise ValueError(
                f"{self.method} over sharded parameters compares the gradients of all of them, and needs no single "
                "rows: leave out representation and gramian_from, and coordinate methods"
            )
        if in_parts:
            passes = harvested if self._given.is_sharded_by_fsdp() else sequential
            return Plan(passes, "rows", spread="parts", why=dict.fromkeys(shared, "rows, by this rank's part"))
        if step.representation is not None:
            return Plan(sequential, spread="samples")
        joint = self._jacobian.ranks.size > 1
        spread: Spread = "slices" if joint and self._parts.coordinate is None else "whole"
        if self._chosen is not None:
            return Plan(sequential, spread=spread)
        if joint and self.route == "factored":
            raise ValueError("route='factored' has no exact form over several processes: use 'auto' or 'rows'")
        needs_rows = self.route == "auto" and (joint or self._parts.coordinate is not None)
        plan = plan_of("rows" if needs_rows else self.route, shared, graph, len(step.losses))
        plan.spread = spread
        return plan

    def _describe(self, step: Step, plan: Plan, roles: Roles) -> str:
        if step.representation is not None:
            return "representation"
        return plan.describe(roles.names) if self._chosen is None else "chosen parameters"

    def _is_due(self) -> bool:
        return self.probe_every > 0 and self._steps % self.probe_every == 0

    def _probe(self, step: Step, incoming: Tensor) -> Tensor:
        """The gramian of a step whose method does not need it."""
        found: list[Tensor] = []

        def keep(jacobian: Jacobian, others: list[Tensor]) -> Decision:
            gramian, factor = jacobian.gramian(len(step.losses), incoming)
            found.append(gramian / factor**2)
            return gramian, None

        graph = self._given.graph_of(step.losses)
        graph.require_several_passes()
        if step.representation is not None:
            measured = [step.representation]
        else:
            measured = self._roles(step, graph).shared if self._chosen is None else self._chosen.trainable()
        plan = self._plan(step, graph, measured)
        try:
            Delivery(step.losses, graph, Roles(), self._jacobian, "raw", keep).measure(measured, plan, incoming)
        finally:
            self._jacobian.release()
        return found[0]

    def _note(
        self, step: Step, weights: Tensor | None, gramian: Tensor | None, route: str, skipped: bool = False
    ) -> None:
        """Write the record."""
        self._steps += 1
        aggregators = [m for m in self.method.modules() if isinstance(m, Aggregator)]
        unsolved = sum(int(m.unsolved) for m in aggregators)
        residuals = [m.residual for m in aggregators if m.residual is not None]
        for aggregator in aggregators:
            aggregator.residual = None  # a step that reuses weights solves nothing
        raw = on_one_device([loss.detach() for loss in step.raw])
        self.record = Record(
            self._steps,
            step.names,
            raw,
            step.total,
            weights,
            gramian,
            route,
            skipped,
            unsolved,
            max(residuals, default=None),
            step.parts,
        )
        self._misuse.unmoved(self._steps)
