"""The balancer: many losses in, one scalar out, balanced when it goes backward."""

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor, nn

from equipoise.gradients.delivery import Decision, Delivery
from equipoise.gradients.graph import reached_leaves
from equipoise.gradients.roles import Parameters, Roles
from equipoise.gradients.routes import ROUTES
from equipoise.gradients.rows import Rows
from equipoise.gradients.surrogate import surrogate
from equipoise.method import Aggregator, Method, linearise, split
from equipoise.record import Record
from equipoise.tasks import Tasks, nearest, require_unique

_PATIENCE = 50  # backwards after which a parameter of the method that no optimiser has moved is warned of


class Balancer(nn.Module):
    """One scalar from many losses, whose ``.backward()`` delivers the balanced gradient.

    Args:
        method: How to balance.
        parameters: The model, or an iterable of the parameters to balance. A module is read at every
            step. Nothing is registered: the model stays the user's.
        tasks: ``Tasks``, names, or {name: weight}: the order, the names and the users' weights.
        heads: What a gradient method does with parameters that one task alone reaches: ``"raw"``
            leaves their gradient, ``"weighted"`` multiplies it by the task's weight.
        gramian_from: A module or parameters at which the gradients are compared, by default all that
            are shared. The weights found there hold for all shared parameters.
        route: ``"auto"``, ``"rows"`` (a backward per task) or ``"batched"`` (one with K seeds); equal
            mathematics.
        probe_every: For methods that need no gradients of single tasks: measure them all the same,
            for ``record``, every so many steps. 0 never.

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
        route: Literal["auto", "rows", "batched"] = "auto",
        probe_every: int = 0,
    ) -> None:
        super().__init__()
        if not isinstance(method, Method):
            raise ValueError(f"method must be a method such as MGDA() or eq.method('mgda'), got {method!r}")
        if heads not in ("raw", "weighted"):
            raise ValueError(f"heads must be 'raw' or 'weighted', got {heads!r}")
        if route not in ("auto", *ROUTES):
            raise ValueError(f"route must be one of 'auto', {', '.join(map(repr, ROUTES))}, got {route!r}")
        if not isinstance(probe_every, int) or probe_every < 0:
            raise ValueError(f"probe_every must be 0 or a number of steps, got {probe_every!r}")
        self.method = method
        self.heads, self.route, self.probe_every = heads, route, probe_every
        self.record: Record | None = None
        self._user_weights = _user_weights(tasks)
        self._given = Parameters(parameters)
        self._chosen = None if gramian_from is None else Parameters(gramian_from)
        self._parts = split(method)  # a tuple, so that nothing is registered twice
        self._rows = Rows()
        self._steps = 0
        if self._parts.coordinate is not None and self._chosen is not None:
            raise ValueError("gramian_from has no use in a coordinate method: it needs all rows")
        self._bind()

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order."""
        return tuple(self._user_weights)

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
            RuntimeError: If a method that has state or takes gradients runs in several processes.
        """
        step = self._step(losses, representation)
        self._indices({} if counts is None else counts)
        if not torch.is_grad_enabled():
            return step.total
        if not step.losses:
            return step.total.requires_grad_()  # nothing to learn from: its backward does nothing
        step.require_graph()
        return self._by_gradients(step) if self._parts.takes_gradients else self._by_objective(step)

    def end_epoch(self) -> None:
        """Tell the method that an epoch has ended; call it once per epoch."""
        self.method.end_epoch()

    def observe(self, results: Mapping[str, float]) -> None:
        """Tell the method validation results by task name, higher is better."""
        tasks = self._indices(results)
        values = torch.tensor([float(results[self.names[k]]) for k in tasks], dtype=torch.float64)
        self.method.observe(values, torch.tensor(tasks))

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Tell the method the raw losses of the same batch after the optimiser's step."""
        with torch.no_grad():
            step = self._step(losses, None)
            if step.losses:
                self.method.after_step(step.stacked(), step.tasks)

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
        return f"tasks={self._user_weights}, heads={self.heads!r}, route={self.route!r}"

    def _bind(self) -> None:
        """Give the method its size, its device and the users' weights."""
        self.method.bind(len(self.names))
        self.method.to(self._device())
        self._initial = {name: p.detach().clone() for name, p in self.method.named_parameters()}
        weights = list(self._user_weights.values())
        if set(weights) != {1.0}:
            self.method.prefer(torch.tensor(weights, dtype=torch.float64))
            if self.method.user_weight == "ignored":
                warnings.warn(
                    f"{self.method} does not depend on the scale of a loss, so the weights {self._user_weights} "
                    "do not change its balance",
                    stacklevel=3,
                )

    def _device(self) -> torch.device:
        return next(iter(self._given.named().values())).device

    def _indices(self, values: Mapping[str, Any]) -> list[int]:
        """The tasks named in a mapping, in order."""
        if not isinstance(values, Mapping):
            raise ValueError(f"losses, counts and results map task names to values, got {type(values).__name__}")
        for name in values:
            if name not in self._user_weights:
                raise ValueError(f"no task {name!r}; {nearest(str(name), self.names)}")
        return [k for k, name in enumerate(self.names) if name in values]

    def _step(self, losses: Mapping[str, Tensor], representation: Tensor | None) -> "_Step":
        """Check a call's arguments and apply the users' weights."""
        present = self._indices(losses)
        names = tuple(self.names[k] for k in present)
        for name in names:
            if not isinstance(losses[name], Tensor) or losses[name].dim() != 0:
                got = getattr(losses[name], "shape", type(losses[name]).__name__)
                raise ValueError(f"loss of task {name!r} must be a scalar tensor, got {got}; reduce it")
        if representation is not None:
            if self._parts.coordinate is not None:
                raise ValueError("representation has no use in a coordinate method: it needs all rows")
            if self._chosen is not None:
                raise ValueError("give gramian_from or a representation, not both")
            if torch.is_grad_enabled() and not representation.requires_grad:
                raise ValueError("representation must have a graph, got a detached tensor")
        if _several_processes() and (self._parts.takes_gradients or self.method.state_dict()):
            raise RuntimeError(
                f"{self.method} does not yet run in several processes, where its balance would differ from that of "
                "the joint batch: use Sum or Fixed there, or a single process"
            )
        raw = [losses[name] for name in names]
        device = raw[0].device if raw else self._device()
        scales = [self._user_weights[name] for name in names]
        weighted = [loss if scale == 1.0 else loss * scale for loss, scale in zip(raw, scales, strict=True)]
        total = sum((loss.detach().to(device) for loss in weighted), torch.zeros((), device=device))
        return _Step(names, raw, weighted, total, torch.tensor(present, device=device), representation)

    def _by_objective(self, step: "_Step") -> Tensor:
        """One backward pass: the total's value, the objective's gradient."""
        if self._steps == 0:
            self._roles(step)  # raises if this is the wrong model
        stacked = step.stacked()
        objective = self._parts.weighting(stacked, step.tasks)
        seen: list[Tensor] = []

        def on_objective(incoming: Tensor) -> None:
            seen.append(incoming.detach())

        def on_losses(gradient: Tensor) -> None:
            incoming = seen.pop()
            gramian = self._probe(step, incoming) if self._is_due() else None
            self._note(step, gradient.detach() / incoming, gramian, route="objective")

        objective.register_hook(on_objective)
        stacked.register_hook(on_losses)
        return step.total + (objective - objective.detach())

    def _by_gradients(self, step: "_Step") -> Tensor:
        """A surrogate that balances the tasks' gradients when it goes backward."""
        roles = self._roles(step)
        if not roles.shared and len(step.losses) > 1:
            warnings.warn("no parameter is shared by two tasks: there is nothing to balance", stacklevel=4)
        objective, scales = linearise(self._parts.weighting, step.stacked(), step.tasks)

        def backward(incoming: Tensor) -> list[Tensor | None]:
            decide = partial(self._decide, step, scales, incoming)
            delivery = Delivery(step.losses, roles, self._rows, self._route(step), self.heads, decide)
            if step.representation is not None:
                return delivery.at_representation(step.representation, incoming)
            if self._chosen is not None:
                return delivery.at_parameters(self._chosen.trainable(), incoming)
            return delivery.by_rows(incoming)

        loss = surrogate(step.total, roles.leaves, backward)
        if any(p.requires_grad for p in self._parts.weighting.parameters()):
            loss = loss + (objective - objective.detach())
        return loss

    def _decide(self, step: "_Step", scales: Tensor, incoming: Tensor, rows: Rows, others: list[Tensor]) -> Decision:
        """Ask the method for weights, unless a number is not finite: then all gradients go through as they are."""
        largest = torch.nn.utils.get_total_norm(others, float("inf")) if others else torch.zeros(())
        gramian, losses, factor, largest, scale = rows.gramian(
            len(step.losses), step.stacked(), incoming, largest, scales
        )
        gramian = gramian / factor**2
        weights, mixture = scale, None
        usable = bool(factor != 0) and all(bool(x.isfinite().all()) for x in (gramian, losses, largest, scale))
        if not usable:
            weights = torch.ones_like(scale)
        elif self._parts.aggregator is not None:
            scaled = scale[:, None] * gramian * scale
            weights = scale * self._parts.aggregator(scaled, losses, step.tasks.cpu())
        if not weights.isfinite().all():
            raise RuntimeError(f"{self.method} gave weights {weights.tolist()} for finite gradients: a defect in it")
        if usable and self._parts.coordinate is not None:
            jacobian = rows.jacobian(len(step.losses))
            unscaled = (weights / factor).to(jacobian)[:, None] * jacobian
            gradient = self._parts.coordinate(unscaled, step.stacked().detach().to(jacobian), step.tasks)
            mixture = rows.spread(gradient * incoming.to(gradient))
        shown = None if mixture is not None else weights
        self._note(step, shown, gramian, route=self._route(step), skipped=not usable)
        return weights, mixture

    def _roles(self, step: "_Step") -> Roles:
        return self._given.roles(reached_leaves(step.losses), step.tasks.tolist(), len(self.names))

    def _route(self, step: "_Step") -> str:
        if step.representation is not None:
            return "representation"
        if self._chosen is not None:
            return "chosen parameters"
        return "rows" if self.route == "auto" else self.route

    def _is_due(self) -> bool:
        return self.probe_every > 0 and self._steps % self.probe_every == 0

    def _probe(self, step: "_Step", incoming: Tensor) -> Tensor:
        """The gramian of a step whose method does not need it."""
        found: list[Tensor] = []

        def keep(rows: Rows, others: list[Tensor]) -> Decision:
            gramian, factor = rows.gramian(len(step.losses), incoming)
            found.append(gramian / factor**2)
            return gramian, None

        if step.representation is not None:
            measured = [step.representation]
        else:
            measured = self._roles(step).shared if self._chosen is None else self._chosen.trainable()
        Delivery(step.losses, Roles(), self._rows, "rows", "raw", keep).measure(measured, incoming)
        return found[0]

    def _note(
        self, step: "_Step", weights: Tensor | None, gramian: Tensor | None, route: str, skipped: bool = False
    ) -> None:
        """Write the record, and warn of a parameter that no optimiser moves."""
        self._steps += 1
        unsolved = sum(int(m.unsolved) for m in self.method.modules() if isinstance(m, Aggregator))
        raw = torch.stack([loss.detach().to(step.total) for loss in step.raw])
        self.record = Record(self._steps, step.names, raw, step.total, weights, gramian, route, skipped, unsolved)
        if self._steps == _PATIENCE:
            for name, parameter in self.method.named_parameters():
                if parameter.requires_grad and torch.equal(parameter, self._initial[name].to(parameter)):
                    warnings.warn(
                        f"parameter {name!r} of {self.method} has not moved in {_PATIENCE} steps: add "
                        "balancer.parameters() to the optimiser",
                        stacklevel=2,
                    )


class MultiTaskLoss(nn.Module):
    """Tasks and balancer as an ordinary criterion: ``criterion(outputs, targets).backward()``.

    Its parameters, those of the losses and of the method, belong in the optimiser.
    """

    def __init__(self, tasks: Tasks, balancer: Balancer) -> None:
        super().__init__()
        if tasks.names != balancer.names:
            raise ValueError(f"tasks are {tasks.names}, the balancer's are {balancer.names}: build it with tasks=tasks")
        self.tasks = tasks
        self.balancer = balancer

    def forward(
        self,
        outputs: Mapping[str, Any],
        targets: Mapping[str, Any] | None = None,
        *,
        representation: Tensor | None = None,
    ) -> Tensor:
        """The scalar of ``balancer(tasks.losses(outputs, targets))``."""
        loss: Tensor = self.balancer(self.tasks.losses(outputs, targets), representation=representation)
        return loss


@dataclass
class _Step:
    """One checked call of the balancer: its K present tasks."""

    names: tuple[str, ...]
    raw: list[Tensor]
    losses: list[Tensor]  # with the users' weights
    total: Tensor  # []
    tasks: Tensor  # [K], indices among all tasks
    representation: Tensor | None

    def require_graph(self) -> None:
        for name, loss in zip(self.names, self.losses, strict=True):
            if not loss.requires_grad:
                raise ValueError(f"loss of task {name!r} has no graph: was it detached, or computed under no_grad?")

    def stacked(self) -> Tensor:
        """The losses [K] on one device."""
        return torch.stack([loss.to(self.total.device) for loss in self.losses])


def _user_weights(tasks: Tasks | Iterable[str] | Mapping[str, float]) -> dict[str, float]:
    """The users' weights by task name, in order."""
    if isinstance(tasks, Tasks):
        return {task.name: task.weight for task in tasks}
    if isinstance(tasks, Mapping):
        weights = {str(name): float(weight) for name, weight in tasks.items()}
    elif isinstance(tasks, str):
        raise ValueError(f"tasks must be Tasks, names or {{name: weight}}, got the string {tasks!r}")
    else:
        names = tuple(tasks)
        require_unique(names)
        weights = dict.fromkeys(names, 1.0)
    if not weights:
        raise ValueError("tasks is empty: name at least one")
    for name, weight in weights.items():
        if not 0 < weight < float("inf"):
            raise ValueError(f"weight of task {name!r} must be positive and finite, got {weight!r}")
    return weights


def _several_processes() -> bool:
    return (
        torch.distributed.is_available()
        and torch.distributed.is_initialized()
        and torch.distributed.get_world_size() > 1
    )
