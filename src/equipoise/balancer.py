"""The balancer: many losses in, one scalar out, balanced when it goes backward."""

import copy
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from equipoise.gradients.accumulation import Accumulation, Micro
from equipoise.gradients.compiled import uncompiled
from equipoise.gradients.delivery import Decision, Delivery
from equipoise.gradients.fsdp import harvested
from equipoise.gradients.graph import Graph
from equipoise.gradients.jacobian import Jacobian, Spread, to_host
from equipoise.gradients.known import are_finite, at_known
from equipoise.gradients.parts import is_in_parts, require_gradients_of_tasks
from equipoise.gradients.plan import ROUTES, Plan, plan_of
from equipoise.gradients.ranks import ranks_of
from equipoise.gradients.roles import Parameters, Roles
from equipoise.gradients.routes import seed, sequential
from equipoise.gradients.surrogate import surrogate, with_gradient_of
from equipoise.joint import joint_step
from equipoise.method import Aggregator, Method, Sum, linearise, split
from equipoise.misuse import Misuse, joined_heads, used_once
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
        self._aggregators = tuple(part for part in method.modules() if isinstance(part, Aggregator))
        self._jacobian = Jacobian()
        self._held: dict[str, float] | None = None  # weights inside ``frozen``
        self._accumulation, self._micro_batches = Accumulation(len(self.user_weights)), 1
        self._steps = 0
        self._is_checked = False
        if self._parts.coordinate is not None and self._chosen is not None:
            raise ValueError("gramian_from has no use in a coordinate method: it needs all rows")
        if self._parts.group is not None:
            if self._chosen is not None:
                raise ValueError(f"gramian_from has no use in {method}: it compares gradients by every group")
            if heads == "weighted":
                raise ValueError(f"heads='weighted' has no use in {method}: a task has a weight in every group")
            self._parts.group.groups_of(self._given.named())  # raises if they do not fit
        if self._parts.coordinate is not None and route == "factored":
            raise ValueError(f"route='factored' has no rows, and {method} needs them: use 'auto', 'rows' or 'batched'")
        self._bind()

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order."""
        return tuple(self.user_weights)

    @property
    def given(self) -> Parameters:
        """The parameters to balance, and who reached them so far: a copy, for looks that leave no trace."""
        given = copy.copy(self._given)
        given.reached = dict(self._given.reached)
        return given

    @property
    def gramian_from(self) -> list[Tensor] | None:
        """The trainable parameters at which gradients are compared; ``None`` for all that are shared."""
        return None if self._chosen is None else self._chosen.trainable()

    @uncompiled
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
                counted. They weigh micro-batches (``accumulate``) and the ranks of a distributed run.
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
        if representation is not None and self._parts.group is not None:
            raise ValueError(f"representation has no use in {self.method}: it compares gradients by every group")
        if representation is not None and self._chosen is not None:
            raise ValueError("give gramian_from or a representation, not both")
        if torch.is_grad_enabled():
            step.require_graph()
            self._jacobian.ranks = ranks_of(self.ranks, self._given.source)
            step = self._joint(step, counts) if self._is_joint else step
        if self._held is not None and step.losses and self._is_held(step):
            return self._by_held(step)
        if not torch.is_grad_enabled():
            return step.total
        if self._micro_batches > 1:
            return self._by_accumulation(step, counts)
        if not step.losses:
            return self._nothing(step)
        self._misuse.called(self._given.named, losses, self.user_weights)
        return self._by_gradients(step) if self._parts.takes_gradients else self._by_objective(step)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, the scalar is sum_k w_k loss_k in value and gradient, w the weights of the last step.

        For a line search (L-BFGS), which needs one function whose value and gradient agree: heads are weighted too, the
        method is not asked and nothing of it moves. Decide between searches, by a backward outside. Where a task
        has no weight yet, or the last step was skipped, the first call inside decides, and then holds.

        Raises:
            ValueError: If the method gives a gradient and no weights.

        >>> from equipoise.method import Sum
        >>> model = nn.Linear(3, 2)
        >>> balancer = Balancer(Sum(), model, tasks=["left", "right"])
        >>> optimizer = torch.optim.LBFGS(model.parameters(), line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     left, right = model(torch.ones(3))
        ...     loss = balancer({"left": left**2, "right": right**2})
        ...     loss.backward()
        ...     return loss
        >>> _ = closure()  # decides
        >>> with balancer.frozen():
        ...     _ = optimizer.step(closure)
        """
        if self._parts.needs_whole_rows:
            raise ValueError(f"{self.method} gives no weights for whole gradients: a line search has nothing to hold")
        outer = self._held
        if outer is None:
            known = {} if self.record is None or self.record.skipped else self.record.weights
            self._held = {name: weight for name, weight in known.items() if math.isfinite(weight)}
        try:
            yield
        finally:
            self._held = outer

    def accumulate(self, micro_batches: int) -> None:
        """From now on balance once per so many backwards, as if their micro-batches were one batch.

        Divide each loss by the number of micro-batches, as trainers do. Until the last one goes backward, the
        gradients of every task are kept (K rows, whatever the method) and parameters receive zeros; the last one
        delivers. The method sees each task's mean gradient and mean loss over the micro-batches that have the task,
        weighed by ``counts`` where they are known; ``record`` and the method's state count one step.

        May be said again while micro-batches wait, for a shorter or longer step: at the end of an epoch
        ``accumulate(balancer.waiting + 1)`` makes the next one the last. ``finish()`` ends a step without another
        batch, ``drop()`` forgets it. ``accumulate(1)`` ends accumulation.

        Raises:
            ValueError: If the number is not positive, as many micro-batches wait already, or gradients are compared
                at chosen parameters, of which earlier micro-batches leave no graph.
        """
        if not isinstance(micro_batches, int) or micro_batches < 1:
            raise ValueError(f"micro_batches must be a positive number, got {micro_batches!r}")
        if micro_batches > 1 and self._chosen is not None:
            raise ValueError("accumulate(n) has no use with gramian_from: their graphs are gone when weights are known")
        distributed = torch.distributed
        if distributed.is_available() and distributed.is_initialized() and distributed.get_world_size() > 1:
            raise RuntimeError("accumulate(n) does not yet run in several processes: let the trainer accumulate there")
        if micro_batches <= self.waiting:
            raise ValueError(
                f"micro_batches is {micro_batches} and {self.waiting} wait already: end their step with "
                "balancer.finish().backward(), or forget it with balancer.drop()"
            )
        self._micro_batches = micro_batches

    @property
    def waiting(self) -> int:
        """The micro-batches whose gradients wait for the last of their step."""
        return self._accumulation.waiting

    def finish(self) -> Tensor:
        """A zero whose ``.backward()`` balances and delivers what waits, without another micro-batch."""
        return self._by_accumulation(take_step(self.user_weights, {}, None), {}, is_over=True)

    def drop(self) -> None:
        """Forget the gradients that wait."""
        self._accumulation.drop()

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
        return {
            "names": list(self.names),
            "steps": self._steps,
            "reached": dict(self._given.reached),
            "blurred": dict(self._given.blurred),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what ``get_extra_state`` gave; the tasks must be the same, in the same order."""
        if tuple(state["names"]) != self.names:
            raise ValueError(f"the saved state is of tasks {state['names']}, this balancer has {list(self.names)}")
        self._steps, self._given.reached = state["steps"], dict(state["reached"])
        self._given.blurred = dict(state.get("blurred", {}))

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
        self._misuse = Misuse(self.method)
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
        news = given.learn(given.graph_of(step.losses), step.present, len(self.names), joint=True)
        joint = joint_step(step, counts, self.user_weights, ranks, given.device, word, news)
        if joint.partly and given.is_sharded_by_fsdp():
            raise ValueError(
                f"{', '.join(map(repr, joint.partly))} has a loss on some ranks only, where FSDP waits for all: give "
                "the others a loss of zeros, such as 0 * outputs[name].sum(), with counts[name] = 0"
            )
        if joint.news:
            given.agree(len(self.names), ranks)
        return joint.step

    def _is_held(self, step: Step) -> bool:
        """Whether every task has a weight to hold; decide, if gradients can be taken and all are finite."""
        assert self._held is not None
        if torch.is_grad_enabled() and any(name not in self._held for name in step.names):
            step.require_graph()
            weights = self._decide_ahead(step)
            if weights.isfinite().all():
                self._held.update(zip(step.names, weights.tolist(), strict=True))
        return all(name in self._held for name in step.names)

    def _decide_ahead(self, step: Step) -> Tensor:
        """The weights [K] of this step before its backward; NaN where the method cannot be asked."""
        _, scales = linearise(self._parts.weighting, step.stacked, step.tasks)
        if self._parts.aggregator is None:
            return scales
        graph = self._given.graph_of(step.losses)
        roles = self._roles(step, graph)
        self._require_all_through(step, graph, roles, None if self._chosen is None else self._chosen.trainable())
        losses, scale = to_host((), [step.stacked, scales], self._jacobian.ranks)
        gramian, numbers = losses.new_full((len(losses),) * 2, torch.nan), losses
        balanced, tasks = _balanced(step, roles)
        if self._needs_gramian(balanced, tasks):
            gramian = self._probe(step, torch.ones_like(step.stacked[0]))
            numbers = losses + gramian.sum()
        if not numbers.isfinite().all():
            return torch.full_like(scale, torch.nan)
        return self._weights(balanced, tasks, gramian, losses, scale)

    def _by_held(self, step: Step) -> Tensor:
        """The objective at the held weights, itself."""
        assert self._held is not None
        factors = [self._held[name] for name in step.names]
        weights = torch.tensor(factors, dtype=torch.float64)
        taking = [k for k, factor in enumerate(factors) if factor != 0]  # 0 · inf would be NaN
        if not taking:
            return torch.zeros_like(step.total).requires_grad_(torch.is_grad_enabled()).clone()
        taken = on_one_device([step.losses[k] for k in taking])
        objective = (weights[taking].to(taken) * taken).sum()
        if objective.requires_grad:
            objective.register_hook(lambda incoming: self._note(step, weights, None, "frozen"))
        return self._with_idle(objective, step) if self._is_joint else objective

    def _by_objective(self, step: Step) -> Tensor:
        """One backward pass: the total's value, the objective's gradient."""
        if not self._is_checked:  # raises if this is the wrong model
            graph = self._given.graph_of(step.losses)
            if not graph.hides_parameters():
                self._roles(step, graph)
            self._is_checked = True
        objective = self._parts.weighting(step.stacked, step.tasks)
        reached = list(self._given.graph_of([objective]).leaves) if self._looks_at_optimisers() else None
        # empty but for the backward: a hook that held the step would keep its graph
        seen: list[tuple[Step, Tensor]] = []

        def on_losses(gradient: Tensor) -> None:
            step, incoming = seen.pop()
            gramian = self._probe(step, incoming) if self._is_due() else None
            self._look_at_optimisers(reached)
            self._note(step, gradient.detach() / incoming, gramian, route="objective")

        step.stacked.register_hook(on_losses)
        loss = with_gradient_of(step.total, objective, lambda incoming: seen.append((step, incoming)))
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
        graph.require_visible()
        require_gradients_of_tasks(self._given.named().values())
        if self._is_joint and step.representation is None and graph.blurred:
            raise RuntimeError(
                "in several processes a compiled graph does not tell which parameters are one task's own: leave the "
                "model uncompiled, or give the compiled trunk's output as representation="
            )
        roles = self._roles(step, graph)
        if not roles.shared and len(step.losses) > 1:
            self._misuse.nothing_shared()
        chosen = None if self._chosen is None else self._chosen.trainable()
        groups = self._groups(roles)
        self._require_all_through(step, graph, roles, chosen)
        graph.require_several_passes(self._ends(step, chosen, roles))
        if chosen is not None and self.heads == "raw" and graph.blurred:
            raise ValueError(
                "with gramian_from a compiled graph does not tell which parameters are one task's own: leave "
                "gramian_from out, or say heads='weighted'"
            )
        objective, scales = step.total, torch.ones_like(step.stacked)
        if not isinstance(self._parts.weighting, Sum):
            objective, scales = linearise(self._parts.weighting, step.stacked, step.tasks)
        learns = any(p.requires_grad for p in self._parts.weighting.parameters())
        reached = None
        if self._looks_at_optimisers():
            reached = [*graph.leaves, *(self._given.graph_of([objective]).leaves if learns else ())]

        @used_once()
        def backward(incoming: Tensor) -> list[Tensor | None]:
            graph.delay_to_the_outer_pass()
            self._look_at_optimisers(reached)
            is_sure = not any(self._given.is_unsure(name, len(self.names)) for name in roles.names)
            if is_sure and not self._needs_gramian(*_balanced(step, roles)) and not self._given.is_sharded_by_fsdp():
                return self._at_known(step, graph, roles, scales, incoming)
            plan = self._plan(step, graph, roles.shared, groups)
            decide = partial(self._decide, step, roles, groups, scales, incoming, self._describe(step, plan, roles))
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
        if learns:
            loss = loss + (objective - objective.detach())
        return loss

    def _by_accumulation(self, step: Step, counts: Mapping[str, float], is_over: bool = False) -> Tensor:
        """A surrogate that keeps its gradients, and delivers those of all micro-batches if it is the last."""
        if step.representation is not None:
            raise ValueError("representation has no use with accumulate(n): its graph is gone when weights are known")
        step.require_graph()
        waits, graph, roles = self._accumulation, self._given.graph_of(step.losses), Roles()
        graph.require_visible()
        graph.require_several_passes()
        if step.losses:
            roles = self._roles(step, graph)
        learned = [p for p in self._parts.weighting.parameters() if p.requires_grad]
        leaves = list(dict.fromkeys([*roles.leaves, *waits.leaves, *learned]))
        numbers = {k: float(counts[self.names[k]]) for k in step.present if self.names[k] in counts}
        parts = {k: step.parts[self.names[k]] for k in step.present if self.names[k] in step.parts}

        def backward(incoming: Tensor) -> list[Tensor | None]:
            if not is_over:
                waits.add(Micro(step.present, step.losses, step.raw, parts, graph, roles, numbers), incoming)
            if waits.waiting < self._micro_batches and not is_over:
                gradients: Mapping[Tensor, Tensor | None] = waits.nothing()
            else:
                gradients = self._of_all(waits, learned)
            if any(leaf not in kept for leaf in gradients):
                raise RuntimeError("call .backward() on each micro-batch before the balancer sees the next one")
            return [None, *(gradients.get(leaf) for leaf in leaves)]

        kept = set(leaves)
        start = torch.zeros((), requires_grad=True)  # so that a micro-batch without losses goes backward too
        return surrogate(step.total.to(self._given.device), [start, *leaves], backward)

    def _of_all(self, waits: Accumulation, learned: Sequence[Tensor]) -> dict[Tensor, Tensor | None]:
        """Balance what waits: a gradient for every leaf."""
        try:
            every = waits.close()
            if not every.tasks:
                return {}
            means = {self.names[k]: loss for k, loss in every.losses.items()}
            parts = {self.names[k]: of for k, of in every.parts.items()}
            step = replace(take_step(self.user_weights, means, None), parts=parts)
            if not every.roles.shared and len(every.tasks) > 1:
                self._misuse.nothing_shared()
            objective, scales = linearise(self._parts.weighting, step.stacked, step.tasks)
            incoming = every.incoming.to(step.stacked)
            route = f"rows, of {waits.waiting} micro-batches"
            groups = self._groups(every.roles)
            decide = partial(self._decide, step, every.roles, groups, scales, incoming, route)
            delivery = Delivery(step.losses, self._given.graph_of([]), every.roles, every.jacobian, self.heads, decide)
            # a loss weighting's objective weighs everything, what one task alone reaches too
            factors = [1.0] * len(scales) if self._parts.takes_gradients else scales.tolist()
            gradients = dict(zip(every.roles.leaves, delivery.of_filled(every.rest(factors)), strict=True))
            if learned:
                found = torch.autograd.grad(objective, learned, seed(objective, incoming), allow_unused=True)
                gradients.update(zip(learned, found, strict=True))
            return gradients
        finally:
            waits.drop()

    def _decide(
        self,
        step: Step,
        roles: Roles,
        groups: list[list[Tensor]],
        scales: Tensor,
        incoming: Tensor,
        route: str,
        jacobian: Jacobian,
        others: list[Tensor],
    ) -> Decision:
        """Ask the method for weights, unless a number is not finite: then all gradients go through as they are."""
        apart = self._apart(step, roles, jacobian)
        others = [*others, *(gradient for _, gradient in apart.values())]
        largest = torch.nn.utils.get_total_norm(others, float("inf")) if others else torch.zeros(())
        gramian, largest, losses, factor, scale = jacobian.gramian(
            len(step.losses), step.stacked, incoming, scales, own=[largest]
        )
        gramian = gramian / factor**2
        numbers = float(gramian.sum() + losses.sum() + largest)  # finite if all of them are
        skipped = float(factor) == 0 or not math.isfinite(numbers)
        weights, mixture = torch.ones_like(scale), None
        balanced, tasks = _balanced(step, roles)
        if not skipped:
            weights = self._weights(balanced, tasks, gramian, losses, scale)
            if balanced and self._parts.coordinate is not None:
                rows = jacobian.rows(len(step.losses))[balanced]
                unscaled = (weights[balanced] / factor).to(rows)[:, None] * rows
                gradient = self._parts.coordinate(unscaled, step.stacked.detach()[balanced].to(rows), tasks)
                mixture = jacobian.spread(gradient * incoming.to(gradient))
            if balanced and self._parts.group is not None:
                gramians = weights[:, None] * (jacobian.gramians(len(step.losses), groups) / factor**2) * weights
                by_group = weights.repeat(len(groups), 1)
                by_group[:, balanced] *= self._parts.group(
                    gramians[:, balanced][:, :, balanced], losses[balanced], tasks
                )
                _require_finite(by_group, self.method)
                mixture = jacobian.combine_in_groups(by_group, groups)
        shown = None if mixture is not None else weights
        if apart:
            mixture = jacobian.combine(weights) if mixture is None else mixture
            for place, (k, gradient) in apart.items():
                mixture[place] = gradient * float(weights[k]) if self.heads == "weighted" else gradient
        if balanced and not skipped:
            decides = self._parts.aggregator is not None
            self._misuse.decided(step.names, balanced, gramian, weights if decides else None)
        self._note(step, shown, gramian, route, skipped)
        is_all = step.representation is None and self._chosen is None and not self._is_joint
        moving = int(gramian.diagonal().count_nonzero())  # where one task alone moves, it does so in trunks as in heads
        if is_all and moving > 1 and not skipped and self._misuse.is_due_for_heads(self._steps):
            joined_heads(self._given.named(), jacobian.lonely(len(step.losses)))
        return weights, mixture

    def _weights(self, balanced: list[int], tasks: Tensor, gramian: Tensor, losses: Tensor, scale: Tensor) -> Tensor:
        """The weights [K] of the weighting and, of the balanced tasks, the aggregator."""
        if not scale.isfinite().all():
            raise ValueError(
                f"{self._parts.weighting} gave weights {scale.tolist()} for losses {losses.tolist()}: if it takes "
                "logarithms or ratios, add the task losses' lower bounds to them"
            )
        weights = scale.clone()
        if balanced and self._parts.aggregator is not None:
            scaled = (scale[:, None] * gramian * scale)[balanced][:, balanced]
            weights[balanced] *= self._parts.aggregator(scaled, losses[balanced], tasks)
        _require_finite(weights, self.method)
        return weights

    def _needs_gramian(self, balanced: list[int], tasks: Tensor) -> bool:
        """Whether the method will read the gramian of this step."""
        aggregator = self._parts.aggregator
        if not balanced or aggregator is None or self._parts.needs_whole_rows:
            return True
        return aggregator.needs_gramian(tasks)

    def _at_known(
        self, step: Step, graph: Graph, roles: Roles, scales: Tensor, incoming: Tensor
    ) -> list[Tensor | None]:
        """The gradient of a step that needs no gramian; one that is not finite takes the method's step back."""
        losses, factor, scale = to_host((), [step.stacked, incoming, scales], self._jacobian.ranks)
        skipped = float(factor) == 0 or not math.isfinite(float(factor + losses.sum()))
        balanced, tasks = _balanced(step, roles)
        state = [] if self._parts.aggregator is None else list(self._parts.aggregator.buffers())
        weights, before = torch.ones_like(scale), [buffer.clone() for buffer in state]
        if not skipped:
            weights = self._weights(balanced, tasks, losses.new_full((len(losses),) * 2, torch.nan), losses, scale)
        gradients = at_known(step.losses, graph, roles, self.heads, weights, incoming)
        if not skipped and not are_finite(gradients, self._jacobian.ranks):
            skipped = True
            for buffer, value in zip(state, before, strict=True):
                buffer.copy_(value)
        self._note(step, weights, None, "reused", skipped)
        return gradients

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

    def _ends(self, step: Step, chosen: list[Tensor] | None, roles: Roles) -> list[Tensor] | None:
        """Where the passes of single tasks end; ``None`` where at all leaves."""
        points = chosen if step.representation is None else [step.representation]
        return None if points is None else [*points, *(leaf for leaf, _ in (*roles.private, *roles.outside))]

    def _roles(self, step: Step, graph: Graph) -> Roles:
        if not self._is_joint:
            self._given.learn(graph, step.present, len(self.names))
        return self._given.roles(graph, step.present, len(self.names), self._is_joint)

    def _apart(self, step: Step, roles: Roles, jacobian: Jacobian) -> dict[int, tuple[int, Tensor]]:
        """Take from the jacobian what a compiled graph calls shared and one task alone has ever moved.

        Returns place among the shared tensors -> (that task, within the step; its gradient).
        """
        apart: dict[int, tuple[int, Tensor]] = {}
        if step.representation is not None or self._chosen is not None:
            return apart
        for place, (name, leaf) in enumerate(zip(roles.names, roles.shared, strict=True)):
            if self._given.is_unsure(name, len(self.names)):
                moving = jacobian.moving(leaf, len(step.losses))
                among_all = sum((moving >> k & 1) << task for k, task in enumerate(step.present))
                self._given.reached[name] = self._given.reached.get(name, 0) | among_all
                if self._given.is_unsure(name, len(self.names)):
                    apart[place] = max(moving.bit_length() - 1, 0), jacobian.set_apart(leaf, len(step.losses))
        return apart

    def _groups(self, roles: Roles) -> list[list[Tensor]]:
        """The groups of parameters that the method weighs apart; none where it does not."""
        if self._parts.group is None:
            return []
        groups = self._parts.group.groups_of(self._given.named())
        grouped = {parameter for group in groups for parameter in group}
        if len(grouped) < sum(map(len, groups)):
            raise ValueError(f"{self._parts.group} has a parameter in two groups: groups must be disjoint")
        strays = [name for name, leaf in zip(roles.names, roles.shared, strict=True) if leaf not in grouped]
        if strays:
            raise ValueError(f"{', '.join(strays)} are shared by tasks and in no group of {self._parts.group}")
        return groups

    def _plan(self, step: Step, graph: Graph, shared: list[Tensor], groups: Sequence[Sequence[Tensor]] = ()) -> Plan:
        """How to take the gradients where they are compared."""
        in_parts = any(map(is_in_parts, shared))
        if in_parts and (step.representation is not None or self._chosen is not None or self._parts.needs_whole_rows):
            raise ValueError(
                f"{self.method} over sharded parameters compares the gradients of all of them, and needs no single "
                "rows: leave out representation and gramian_from, and methods by coordinate or by group"
            )
        if in_parts:
            passes = harvested if self._given.is_sharded_by_fsdp() else sequential
            return Plan(passes, "rows", spread="parts", why=dict.fromkeys(shared, "rows, by this rank's part"))
        if step.representation is not None:
            return Plan(sequential, spread="samples")
        joint = self._jacobian.ranks.size > 1
        spread: Spread = "whole" if not joint or self._parts.needs_whole_rows else "slices"
        if self._chosen is not None:
            return Plan(sequential, spread=spread)
        if joint and self.route == "factored":
            raise ValueError("route='factored' has no exact form over several processes: use 'auto' or 'rows'")
        needs_rows = self.route == "auto" and (joint or self._parts.coordinate is not None)
        plan = plan_of("rows" if needs_rows else self.route, shared, graph, len(step.losses), groups)
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
            self._apart(step, roles, jacobian)
            gramian, factor = jacobian.gramian(len(step.losses), incoming)
            found.append(gramian / factor**2)
            return gramian, None

        graph = self._given.graph_of(step.losses)
        graph.require_visible()
        roles = self._roles(step, graph)
        if step.representation is not None:
            measured = [step.representation]
        else:
            measured = roles.shared if self._chosen is None else self._chosen.trainable()
        graph.require_several_passes(measured)
        plan = self._plan(step, graph, measured)
        try:
            Delivery(step.losses, graph, Roles(), self._jacobian, "raw", keep).measure(measured, plan, incoming)
        finally:
            self._jacobian.release()
        return found[0]

    def _looks_at_optimisers(self) -> bool:
        return self._misuse.is_due_for_optimisers(self._steps + 1)

    def _look_at_optimisers(self, reached: list[Tensor] | None) -> None:
        """Look for parameters that no optimiser holds, among those that this step reaches if it is one that looks."""
        if reached is not None:
            self._misuse.optimisers(self._given.named(), set(reached))

    def _note(
        self, step: Step, weights: Tensor | None, gramian: Tensor | None, route: str, skipped: bool = False
    ) -> None:
        """Write the record."""
        self._steps += 1
        unsolved = sum(int(aggregator.unsolved) for aggregator in self._aggregators)
        residuals = [aggregator.residual for aggregator in self._aggregators if aggregator.residual is not None]
        for aggregator in self._aggregators:
            aggregator.residual = None  # a step that reuses weights solves nothing
        self.record = Record(
            self._steps,
            step.names,
            step.shown,
            step.total,
            weights,
            gramian,
            route,
            skipped,
            unsolved,
            max(residuals, default=None),
            step.parts,
        )
        self._misuse.went_backward()


def _balanced(step: Step, roles: Roles) -> tuple[list[int], Tensor]:
    """The tasks that reach something shared: their numbers within the step, and among all."""
    balanced = [k for k in range(len(step.losses)) if roles.sharing >> k & 1]
    return balanced, torch.tensor([step.present[k] for k in balanced], dtype=torch.int64)


def _require_finite(weights: Tensor, method: Method) -> None:
    if not weights.isfinite().all():
        raise RuntimeError(f"{method} gave weights {weights.tolist()} for finite gradients: a defect in it")
