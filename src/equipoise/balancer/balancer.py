"""The class that users meet."""

import copy
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor, nn

from equipoise.arguments import number, short_repr
from equipoise.balancer.accumulating import accumulated, finished, set_micro_batches
from equipoise.balancer.backward import balanced_by_gradients
from equipoise.balancer.config import Config
from equipoise.balancer.defaults import plain_defaults
from equipoise.balancer.frozen import FrozenObjective
from equipoise.balancer.joint import joint_losses, nothing, of_all_ranks, with_idle
from equipoise.balancer.objective import balanced_by_losses
from equipoise.balancer.state import State
from equipoise.balancer.weights import LiveWeights
from equipoise.gradients.compiled import uncompiled
from equipoise.gradients.ranks import ranks_of
from equipoise.gradients.roles import Parameters
from equipoise.method import FEEDBACK, Method
from equipoise.record import Record
from equipoise.step import indices, negated, take_step, user_weights
from equipoise.tasks import TaskLosses, Tasks

_READ_ONLY = {
    **dict.fromkeys(
        ("method", "heads", "scale", "route", "probe_every", "ranks", "monitor", "gramian_from", "names"),
        "make a new Balancer, with a new method",
    ),
    **dict.fromkeys(
        ("user_weights", "weights", "weight", "tasks"), "change weights by balancer.set_weights({name: weight})"
    ),
}


class Balancer(nn.Module):
    """One scalar from many losses, whose ``.backward()`` delivers the balanced gradient.

    Its value is the sum of the raw losses times the weights that the user chose, as ``tasks`` or within the method
    (``Fixed``, ``Scheduled``), whatever the method makes of them: the number to log, also ``record.total``. What the
    step descends on is ``record.objective``; ``record.weights`` are effective weights, the user's times the method's.

    Args:
        method: How to balance; one object serves one balancer.
        parameters: The model, or an iterable of the parameters to balance. A module is read at every
            step. Nothing is registered: the model stays the user's.
        tasks: ``Tasks``, names, or {name: weight}: the order, the names and the users' weights.
        heads: What a gradient method does with parameters that one task alone reaches: ``"raw"``
            leaves their gradient, ``"weighted"`` multiplies it by the task's weight. Weights of some methods
            (ConFIG, IMTL-G) may be negative: their heads would climb, so leave those raw.
        scale: How long steps are. ``"sum"`` multiplies a method that means (MGDA, CAGrad, RLW) by its ``sum_factor``,
            so that equal gradients of equal losses give their sum, and the plain sum's learning rate, weight decay and
            clipping stay. Methods whose length is their own (Nash-MTL) keep it. ``"paper"`` multiplies by nothing.
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
        monitor: ``"warn"`` looks while training for misuse that nothing else shows (a sum that goes backward instead,
            parameters that no optimiser holds, a call that the method needs and never hears) and warns of each kind
            once; during steps 1 to 50 of every 1000 it listens to the optimisers of the process. ``"off"`` looks at
            nothing. Errors, and warnings of what the arguments themselves say, come either way.

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
        scale: Literal["sum", "paper"] = "sum",
        gramian_from: nn.Module | Iterable[Tensor] | None = None,
        route: Literal["auto", "rows", "batched", "factored"] = "auto",
        probe_every: int = 0,
        ranks: Any = "auto",
        monitor: Literal["warn", "off"] = "warn",
    ) -> None:
        super().__init__()
        weights = user_weights(tasks)
        chosen = None if gramian_from is None else Parameters(gramian_from, "gramian_from")
        given = Parameters(parameters)
        config = Config(method, tuple(weights), heads, scale, chosen, route, probe_every, ranks, monitor)
        self.method = method
        self._state = State(config, given, LiveWeights(weights, method))
        self._frozen: FrozenObjective | None = None  # inside ``frozen``
        self._bind()

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order."""
        return self._state.config.names

    @property
    def user_weights(self) -> Mapping[str, float]:
        """The users' weights of all tasks as the balancer holds them, from the next step on."""
        return self._state.weights.newest

    @property
    def heads(self) -> Literal["raw", "weighted"]:
        """As it was built with, like ``route``, ``probe_every`` and ``ranks``."""
        return self._state.config.heads

    @property
    def route(self) -> str:
        """How the gradients of shared parameters are taken."""
        return self._state.config.route

    @property
    def probe_every(self) -> int:
        """Every how many steps gradients are measured that the method does not need."""
        return self._state.config.probe_every

    @property
    def ranks(self) -> Any:
        """The processes that train together, as given."""
        return self._state.config.ranks

    @property
    def scale(self) -> Literal["sum", "paper"]:
        """How long steps are; chosen when the balancer is made."""
        return self._state.config.scale

    @property
    def monitor(self) -> Literal["warn", "off"]:
        """Whether misuse is looked for while training."""
        return self._state.config.monitor

    @property
    def record(self) -> Record | None:
        """What the last backward did; ``None`` before the first."""
        return self._state.record

    @property
    def given(self) -> Parameters:
        """The parameters to balance, and who reached them so far: a copy, for looks that leave no trace."""
        given = copy.copy(self._state.parameters)
        given.reached, given.ambiguous = dict(given.reached), dict(given.ambiguous)
        return given

    @property
    def gramian_from(self) -> list[Tensor] | None:
        """The trainable parameters at which gradients are compared; ``None`` for all that are shared."""
        return None if self._state.config.gramian_from is None else self._state.config.gramian_from.trainable()

    @uncompiled
    def forward(
        self,
        losses: Mapping[str, Tensor],
        *,
        counts: Mapping[str, float] | None = None,
        representation: Tensor | None = None,
    ) -> Tensor:
        """One scalar, equal to the total under the user's weights; call ``.backward()`` on it once.

        Args:
            losses: Raw scalar losses by task name; a task that is not there is absent from this step.
            counts: The labels behind each mean, by task name; by default those that ``Tasks.losses``
                counted. They weigh micro-batches (``accumulate``) and the ranks of a distributed run.
            representation: A tensor between the shared trunk and the heads. The tasks' gradients are
                then compared there, and the trunk is passed once.

        Raises:
            ValueError: If a name is unknown, a loss is not a scalar or has no graph, or no loss
                reaches the parameters.
            RuntimeError: If a gradient method meets a graph that allows one backward only, or the losses were made
                inside ``torch.func``.
        """
        state, config = self._state, self._state.config
        if state.weights.next is not None and not self.waiting:
            state.weights.adopt()
        step = take_step(state.weights.now, losses, representation)
        counts = self._counts_of(losses, counts)
        if representation is not None:
            config.require_representation_fits()
        if torch.is_grad_enabled():
            step.require_graph()
            state.jacobian.ranks = ranks = ranks_of(config.ranks, state.parameters.source, state.steps + 1)
            state.is_joint = ranks.size > 1
            if state.is_joint:
                step, counts = of_all_ranks(state, step, counts)
        step = step.stated(config.method.stated(step.present))
        if self._frozen is not None and step.losses and self._frozen.covers(step):
            loss = self._frozen.objective(step)
            return with_idle(state, loss, step) if state.is_joint else loss
        if not torch.is_grad_enabled():
            return step.total
        accumulates = state.micro_batches > 1
        if state.monitor is not None:
            of_tasks = losses.weights if isinstance(losses, TaskLosses) and not state.weights.is_live else None
            given = None if accumulates else state.parameters.named
            state.monitor.called(losses, state.weights.now, of_tasks, given, config.parts.takes_gradients, state.heard)
        if accumulates:
            return accumulated(state, step, counts)
        if not step.losses:
            return nothing(state, step)
        if config.parts.takes_gradients:
            return balanced_by_gradients(state, step)
        loss = balanced_by_losses(state, step)
        return with_idle(state, loss, step) if state.is_joint else loss

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
        if not self._state.config.parts.decides_weights:
            raise ValueError(f"{self.method} gives no weights for whole gradients: a line search has nothing to hold")
        outer = self._frozen
        if not self.waiting:
            self._state.weights.adopt()
        self._frozen = outer or FrozenObjective(self._state)
        try:
            yield
        finally:
            self._frozen = outer

    def set_weights(self, weights: Mapping[str, float]) -> None:
        """Set the users' weights of these tasks, from the next call of the balancer on; the others keep theirs.

        As those that it was built with, they multiply the losses, or become a method's preference. May be called at any
        time, by a schedule or a rule at every step; a call that was made keeps its weights, and so does a step of which
        micro-batches wait. Saved in ``state_dict`` and resumed. Of many ranks, call it on all with the same numbers:
        the next step is an error where they differ. A method that remembers losses (DWA, FAMO, COV) sees them change by
        the same factor.

        Raises:
            ValueError: If a name is unknown, a weight is not positive and finite, or the method has weights of its own
                (``Fixed``, ``Scheduled``), with which these would multiply.
            RuntimeError: Inside ``frozen``, which holds the weights.

        >>> from equipoise.method import Sum
        >>> model = nn.Linear(3, 2)
        >>> balancer = Balancer(Sum(), model, tasks=["left", "right"])
        >>> balancer.set_weights({"left": 0.5})
        >>> left, right = model(torch.ones(3))
        >>> balancer({"left": left**2, "right": right**2}).backward()
        >>> balancer.record.weights
        {'left': 0.5, 'right': 1.0}
        """
        if self._frozen is not None:
            raise RuntimeError("frozen() holds the weights: call set_weights before it")
        self._state.weights.set(weights)

    def accumulate(self, micro_batches: int) -> None:
        """From now on balance once per so many backwards, as if their micro-batches were one batch.

        Divide each balanced loss by the number of micro-batches, as trainers do, and not the tasks' losses, by which
        a method of its own length (Nash-MTL) would step n times too far. Until the last one goes backward, the
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
        set_micro_batches(self._state, micro_batches)

    @property
    def waiting(self) -> int:
        """The micro-batches whose gradients wait for the last of their step."""
        return self._state.accumulation.waiting

    def finish(self) -> Tensor:
        """A zero whose ``.backward()`` balances and delivers what waits, without another micro-batch."""
        return finished(self._state)

    def drop(self) -> None:
        """Forget the gradients that wait."""
        self._state.accumulation.drop()

    @property
    def heard(self) -> frozenset[str]:
        """Which of ``end_epoch``, ``observe`` and ``after_step`` came so far; ``method.needs`` says which must."""
        return frozenset(self._state.heard)

    def expect(self, *calls: str) -> None:
        """Say that ``end_epoch``, ``observe`` or ``after_step`` will come, if later than after 100 steps or 2 epochs.

        Otherwise a call that the method needs and has not heard by then is warned of.

        Raises:
            ValueError: If there is no such call.
        """
        if strangers := [call for call in calls if call not in FEEDBACK]:
            raise ValueError(f"expect takes {', '.join(map(repr, FEEDBACK))}, got {short_repr(strangers[0])}")
        if self._state.monitor is not None:
            self._state.monitor.expect(calls)

    def end_epoch(self) -> None:
        """Tell the method that an epoch has ended; call it once per epoch."""
        self._state.hear("end_epoch")
        self.method.end_epoch()

    def observe(self, results: Mapping[str, float], *, lower_is_better: Iterable[str] = ()) -> None:
        """Tell the method validation results by task name: higher is better, but for the tasks that you name.

        Args:
            results: One number per task, of all tasks or of some; call it once after each validation.
            lower_is_better: Tasks whose result is an error or a loss: it is negated.

        Raises:
            ValueError: If a name is unknown, or a result is no number.
        """
        tasks, lower = indices(self.names, results), negated(self.names, lower_is_better)
        found = [number(f"result of task {self.names[k]!r}", results[self.names[k]]) for k in tasks]
        signed = [-value if self.names[k] in lower else value for k, value in zip(tasks, found, strict=True)]
        values = torch.tensor(signed, dtype=torch.float64, device="cpu")
        self._state.hear("observe")
        self.method.observe(values, torch.tensor(tasks, device="cpu"))

    def after_step(self, losses: Mapping[str, Tensor], *, counts: Mapping[str, float] | None = None) -> None:
        """Tell the method the raw losses of the same batch after the optimiser's step; of many ranks, on every one.

        Args:
            losses: As in a call of the balancer.
            counts: The labels behind each mean, likewise.
        """
        state, counts = self._state, self._counts_of(losses, counts)
        with torch.no_grad():
            step = take_step(state.user_weights, losses, None)
            ranks = ranks_of(self.ranks, state.parameters.source, state.steps)
            values, tasks = step.stacked, step.tasks
            if ranks.size > 1:
                values, tasks = joint_losses(step, counts, state.user_weights, ranks, state.parameters.device)
            state.hear("after_step")
            if len(values):
                self.method.after_step(values, tasks)

    def get_extra_state(self) -> dict[str, Any]:
        """What ``state_dict`` holds beside the method's state."""
        return self._state.saved()

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what ``get_extra_state`` gave; the tasks must be the same, in the same order."""
        self._state.load(state)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _READ_ONLY and "_state" in self.__dict__:
            raise AttributeError(f"balancer.{name} cannot be set: {_READ_ONLY[name]}")
        super().__setattr__(name, value)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Balancer":
        """A copy, which talks to the same process group: a group is not copied."""
        memo[id(self.ranks)] = self.ranks
        twin = memo[id(self)] = type(self).__new__(type(self))
        twin.__dict__ = copy.deepcopy(self.__dict__, memo)
        return twin

    def extra_repr(self) -> str:
        """The tasks with the users' weights, and the options."""
        options = f"heads={self.heads!r}, scale={self.scale!r}, route={self.route!r}"
        return f"tasks={dict(self.user_weights)}, {options}"

    def _bind(self) -> None:
        """Give the method its size, its device and the users' weights."""
        for part in self.method.modules():
            if isinstance(part, Method):
                part.require_unbound()
        self.method.name_tasks(self.names)
        with plain_defaults():
            self.method.bind(len(self.names))
        if self.scale == "sum":
            self.method.match_sum()
        device = self._state.parameters.device
        if device.type != "meta":  # a model that is filled later; state would lose its numbers
            self.method.to(device)
        self._state.weights.start()

    def _counts_of(self, losses: Mapping[str, Tensor], counts: Mapping[str, float] | None) -> Mapping[str, float]:
        """The labels behind each mean where they are known: as given, or as ``Tasks.losses`` counted them."""
        if counts is None:
            return losses.counts if isinstance(losses, TaskLosses) else {}
        indices(self.names, counts)
        return counts
