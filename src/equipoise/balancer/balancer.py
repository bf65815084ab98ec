"""The class that users meet."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from equipoise.balancer.accumulating import accumulated, finished, set_micro_batches
from equipoise.balancer.balanced import balanced_by_gradients, balanced_by_losses
from equipoise.balancer.config import Config, Heads, Monitoring, RouteName, Scale
from equipoise.balancer.feedback import FeedbackCalls
from equipoise.balancer.frozen import FrozenObjective
from equipoise.balancer.joint import nothing, of_all_ranks, reaching_idle
from equipoise.balancer.state import State
from equipoise.balancer.weights import LiveWeights
from equipoise.gradients.roles import Parameters
from equipoise.method import Method
from equipoise.record import Record
from equipoise.step import counts_of, take_step, user_weights
from equipoise.tasks import TaskLosses, Tasks
from equipoise.torch_private.compiling import uncompiled

_OPTIONS = ("names", "heads", "scale", "route", "probe_every", "ranks", "monitor")
_ANEW = dict.fromkeys(("method", "gramian_from", *_OPTIONS), "make a new Balancer, with a new method")
_LIVE = "change weights by balancer.set_weights({name: weight})"
_READ_ONLY = {**_ANEW, **dict.fromkeys(("user_weights", "weights", "weight", "tasks"), _LIVE)}


def _as_built(option: str) -> Any:
    """A property that reads what a balancer was built with."""
    return property(attrgetter(f"_state.config.{option}"))


class Balancer(FeedbackCalls):
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
            some, ``"rows"`` a backward per task, ``"batched"`` one with K seeds. ``"low-memory"`` holds about
            as many numbers of gradients as the parameters have, and the one gradient of a tensor that a pass brings,
            where rows are K times as many, at the price of further passes. Of no effect where gradients are compared
            at a representation or at ``gramian_from``, or not at all.
        probe_every: For methods that need no gradients of single tasks: measure them all the same,
            for ``record``, every so many steps, at the cost of K backwards. 0 never.
        ranks: The processes that train replicas of these parameters together, each on its share of the batch:
            ``"auto"`` finds them (the group of ``DistributedDataParallel``, else the default group),
            ``"local"`` balances this process alone, a process group says it.
        monitor: ``"warn"`` looks while training for misuse that nothing else shows (a sum that goes backward instead,
            parameters that no optimiser holds, a call that the method needs and never hears), and for losses that
            dominate or conflict in spite of the method. It warns of each kind once; during steps 1 to 50 of every 1000
            it listens to the optimisers of the process. ``"off"`` looks at nothing. Errors, and warnings of what the
            arguments themselves say, come either way.

    Raises:
        ValueError: If an argument is out of its range.

    >>> from equipoise.plain_sum import Sum
    >>> model = nn.Linear(3, 2)
    >>> balancer = Balancer(Sum(), model, tasks=["left", "right"])
    >>> left, right = model(torch.ones(3))
    >>> balancer({"left": left**2, "right": right**2}).backward()
    >>> balancer.record.weights
    {'left': 1.0, 'right': 1.0}
    """

    # as it was built with, and read-only
    names: tuple[str, ...] = _as_built("names")
    heads: Heads = _as_built("heads")
    scale: Scale = _as_built("scale")
    route: RouteName = _as_built("route")
    probe_every: int = _as_built("probe_every")
    ranks: Any = _as_built("ranks")
    monitor: Monitoring = _as_built("monitor")

    def __init__(
        self,
        method: Method,
        parameters: nn.Module | Iterable[Tensor],
        *,
        tasks: Tasks | Iterable[str] | Mapping[str, float],
        heads: Heads = "raw",
        scale: Scale = "sum",
        gramian_from: nn.Module | Iterable[Tensor] | None = None,
        route: RouteName = "auto",
        probe_every: int = 0,
        ranks: Any = "auto",
        monitor: Monitoring = "warn",
    ) -> None:
        """One scalar from many losses, whose ``.backward()`` delivers the balanced gradient; more in the class."""
        super().__init__()
        weights = user_weights(tasks)
        chosen = None if gramian_from is None else Parameters(gramian_from, "gramian_from")
        config = Config(method, tuple(weights), heads, scale, chosen, route, probe_every, ranks, monitor)
        self.method = method
        self._state = State(config, Parameters(parameters), LiveWeights(weights, method))
        self._frozen: FrozenObjective | None = None  # inside ``frozen``
        config.bind(self._state.parameters.device)
        self._state.weights.start()

    @property
    def user_weights(self) -> Mapping[str, float]:
        """The users' weights of all tasks as the balancer holds them, from the next step on."""
        return self._state.weights.newest

    @property
    def steps(self) -> int:
        """The steps so far, those of a loaded state included: backwards that delivered gradients."""
        return self._state.steps

    @property
    def record(self) -> Record:
        """What the last backward did.

        Raises:
            RuntimeError: If there was none yet, or none since a state was loaded, which holds no record.
        """
        return self._state.last_record()

    @property
    def given(self) -> Parameters:
        """The parameters to balance, and who reached them so far: a copy, for looks that leave no trace."""
        return self._state.parameters.twin()

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
        counts = counts_of(config.names, losses, counts)
        if representation is not None:
            config.require_representation_fits()
        if torch.is_grad_enabled():
            step.require_graph()
            state.find_ranks()
            if state.ranks.size > 1:
                step, counts = of_all_ranks(state, step, counts)
        step = step.stated(config.method.stated(step.present))
        if self._frozen is not None and step.losses and self._frozen.covers(step):
            return reaching_idle(state, step, self._frozen.objective(step))
        if not torch.is_grad_enabled():
            return step.total
        accumulates = state.micro_batches > 1
        if state.monitor is not None:
            of_tasks = losses.weights if isinstance(losses, TaskLosses) and not state.weights.is_live else None
            named = state.parameters.named
            state.monitor.called(losses, state.weights.now, of_tasks, named, not accumulates, state.heard)
        if accumulates:
            return accumulated(state, step, counts)
        if not step.losses:
            return nothing(state, step)
        if config.parts.takes_gradients:
            return balanced_by_gradients(state, step)
        return reaching_idle(state, step, balanced_by_losses(state, step))

    if TYPE_CHECKING:  # ``nn.Module`` has it of no known result

        def __call__(
            self,
            losses: Mapping[str, Tensor],
            *,
            counts: Mapping[str, float] | None = None,
            representation: Tensor | None = None,
        ) -> Tensor:
            """One scalar, equal to the total under the user's weights; call ``.backward()`` on it once: ``forward``."""

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Inside, the scalar is sum_k w_k loss_k in value and gradient, w the weights of the last step.

        For a line search (L-BFGS), which needs one function whose value and gradient agree: heads are weighted too, the
        method is not asked and nothing of it moves. Decide between searches, by a backward outside. Where a task
        has no weight yet, or the last step was skipped, the first call inside decides, and then holds.

        Raises:
            ValueError: If the method gives a gradient and no weights.

        >>> from equipoise.plain_sum import Sum
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
            raise ValueError(
                f"{self.method} gives no weights for whole gradients: a line search has nothing to hold; take another "
                "method, such as eq.MeanNorm() or eq.UPGrad(), or an optimiser without a line search, such as Adam"
            )
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

        >>> from equipoise.plain_sum import Sum
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

        May be called again while micro-batches wait, for a shorter or longer step: at the end of an epoch
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

    def extra_repr(self) -> str:
        """The tasks with the users' weights, and the options."""
        return f"tasks={dict(self.user_weights)}, heads={self.heads!r}, scale={self.scale!r}, route={self.route!r}"
