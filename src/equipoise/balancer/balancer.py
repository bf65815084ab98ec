"""The class that users meet."""

import copy
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor, nn

from equipoise.arguments import number, short_repr
from equipoise.balancer.accumulating import Accumulating
from equipoise.balancer.comparison import compare, compare_only
from equipoise.balancer.decider import Decider
from equipoise.balancer.defaults import plain_defaults
from equipoise.balancer.held import Held
from equipoise.balancer.joint import joint_losses, nothing, of_all_ranks, with_idle
from equipoise.balancer.live import LiveWeights
from equipoise.balancer.recorder import Recorder
from equipoise.balancer.setup import Setup
from equipoise.balancer.turn import Turn
from equipoise.chain import linearise, split
from equipoise.gradients.compiled import uncompiled
from equipoise.gradients.freed import explained, note_backward, require_unused
from equipoise.gradients.jacobian import Jacobian
from equipoise.gradients.plan import ROUTES
from equipoise.gradients.ranks import ranks_of
from equipoise.gradients.roles import Parameters
from equipoise.gradients.surrogate import surrogate, with_gradient_of
from equipoise.method import FEEDBACK, Method, Sum
from equipoise.monitor import Monitor
from equipoise.record import Record
from equipoise.step import Step, indices, negated, take_step, user_weights
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
        if isinstance(parameters, type):
            raise ValueError(f"parameters is the class {parameters.__name__}: give the model itself")
        if not isinstance(method, Method):
            raise ValueError(f"method must be a method such as MGDA() or eq.method('mgda'), got {short_repr(method)}")
        if heads not in ("raw", "weighted"):
            raise ValueError(f"heads must be 'raw' or 'weighted', got {heads!r}")
        if scale not in ("sum", "paper"):
            raise ValueError(f"scale must be 'sum' or 'paper', got {scale!r}")
        if route not in ROUTES:
            raise ValueError(f"route must be one of {', '.join(map(repr, ROUTES))}, got {route!r}")
        if not isinstance(probe_every, int) or probe_every < 0:
            raise ValueError(f"probe_every must be 0 or a number of steps, got {probe_every!r}")
        if ranks not in ("auto", "local") and not (dist.is_available() and isinstance(ranks, dist.ProcessGroup)):
            raise ValueError(f"ranks must be 'auto', 'local' or a process group, got {ranks!r}")
        if monitor not in ("warn", "off"):
            raise ValueError(f"monitor must be 'warn' or 'off', got {monitor!r}")
        self.method, live = method, LiveWeights(user_weights(tasks), method)
        chosen = None if gramian_from is None else Parameters(gramian_from, "gramian_from")
        self._setup = Setup(
            method,
            split(method),
            live,
            heads,
            scale,
            route,
            probe_every,
            ranks,
            Parameters(parameters),
            chosen,
            Jacobian(),
            Monitor(method, tuple(live.now)) if monitor == "warn" else None,
            set(),
            Turn(),
        )
        self._setup.require_fitting()
        self._recorder = Recorder(method, probe_every)
        self._accumulating = Accumulating(self._setup, self._recorder)
        self._held: Held | None = None  # inside ``frozen``
        self._is_checked = False
        self._bind()

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks' names, in order."""
        return self._setup.names

    @property
    def user_weights(self) -> Mapping[str, float]:
        """The users' weights of all tasks as the balancer holds them, from the next step on."""
        return self._setup.live.newest

    @property
    def heads(self) -> Literal["raw", "weighted"]:
        """As it was built with, like ``route``, ``probe_every`` and ``ranks``."""
        return self._setup.heads

    @property
    def route(self) -> str:
        """How the gradients of shared parameters are taken."""
        return self._setup.route

    @property
    def probe_every(self) -> int:
        """Every how many steps gradients are measured that the method does not need."""
        return self._setup.probe_every

    @property
    def ranks(self) -> Any:
        """The processes that train together, as given."""
        return self._setup.asked_ranks

    @property
    def scale(self) -> Literal["sum", "paper"]:
        """How long steps are; chosen when the balancer is made."""
        return self._setup.scale

    @property
    def monitor(self) -> Literal["warn", "off"]:
        """Whether misuse is looked for while training."""
        return "off" if self._setup.monitor is None else "warn"

    @property
    def record(self) -> Record | None:
        """What the last backward did; ``None`` before the first."""
        return self._recorder.record

    @property
    def given(self) -> Parameters:
        """The parameters to balance, and who reached them so far: a copy, for looks that leave no trace."""
        given = copy.copy(self._setup.given)
        given.reached, given.blurred = dict(given.reached), dict(given.blurred)
        return given

    @property
    def gramian_from(self) -> list[Tensor] | None:
        """The trainable parameters at which gradients are compared; ``None`` for all that are shared."""
        return None if self._setup.chosen is None else self._setup.chosen.trainable()

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
        setup = self._setup
        if not self.waiting:
            setup.live.adopt()
        step = take_step(setup.user_weights, losses, representation)
        counts = _counts_of(losses, counts)
        indices(self.names, counts)
        if representation is not None:
            setup.require_representation_fits()
        if torch.is_grad_enabled():
            step.require_graph()
            setup.jacobian.ranks = ranks_of(self.ranks, setup.given.source, self._recorder.steps + 1)
            if setup.is_joint:
                step, counts = of_all_ranks(setup, step, counts)
        step = setup.stated(step)
        if self._held is not None and step.losses and self._held.covers(step):
            objective = self._held.objective(step)
            return with_idle(setup, objective, step) if setup.is_joint else objective
        if not torch.is_grad_enabled():
            return step.total
        accumulates = self._accumulating.micro_batches > 1
        if setup.monitor is not None:
            of_tasks = losses.weights if isinstance(losses, TaskLosses) and setup.live.state() is None else None
            given = None if accumulates else setup.given.named
            setup.monitor.called(losses, setup.user_weights, of_tasks, given, setup.parts.takes_gradients, setup.heard)
        if accumulates:
            return self._accumulating.loss(step, counts)
        if not step.losses:
            return nothing(setup, step)
        return self._by_gradients(step) if setup.parts.takes_gradients else self._by_objective(step)

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
        if not self._setup.parts.decides_weights:
            raise ValueError(f"{self.method} gives no weights for whole gradients: a line search has nothing to hold")
        outer = self._held
        if not self.waiting:
            self._setup.live.adopt()
        self._held = outer or Held(self._setup, self._recorder)
        try:
            yield
        finally:
            self._held = outer

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
        if self._held is not None:
            raise RuntimeError("frozen() holds the weights: call set_weights before it")
        self._setup.live.set(weights)

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
        self._accumulating.take(micro_batches)

    @property
    def waiting(self) -> int:
        """The micro-batches whose gradients wait for the last of their step."""
        return self._accumulating.waits.waiting

    def finish(self) -> Tensor:
        """A zero whose ``.backward()`` balances and delivers what waits, without another micro-batch."""
        return self._accumulating.finish()

    def drop(self) -> None:
        """Forget the gradients that wait."""
        self._accumulating.waits.drop()

    @property
    def heard(self) -> frozenset[str]:
        """Which of ``end_epoch``, ``observe`` and ``after_step`` came so far; ``method.needs`` says which must."""
        return frozenset(self._setup.heard)

    def expect(self, *calls: str) -> None:
        """Say that ``end_epoch``, ``observe`` or ``after_step`` will come, if later than after 100 steps or 2 epochs.

        Otherwise a call that the method needs and has not heard by then is warned of.

        Raises:
            ValueError: If there is no such call.
        """
        if strangers := [call for call in calls if call not in FEEDBACK]:
            raise ValueError(f"expect takes {', '.join(map(repr, FEEDBACK))}, got {short_repr(strangers[0])}")
        if self._setup.monitor is not None:
            self._setup.monitor.expect(calls)

    def end_epoch(self) -> None:
        """Tell the method that an epoch has ended; call it once per epoch."""
        self._setup.hear("end_epoch")
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
        self._setup.hear("observe")
        self.method.observe(values, torch.tensor(tasks, device="cpu"))

    def after_step(self, losses: Mapping[str, Tensor], *, counts: Mapping[str, float] | None = None) -> None:
        """Tell the method the raw losses of the same batch after the optimiser's step; of many ranks, on every one.

        Args:
            losses: As in a call of the balancer.
            counts: The labels behind each mean, likewise.
        """
        setup, counts = self._setup, _counts_of(losses, counts)
        with torch.no_grad():
            step = take_step(setup.user_weights, losses, None)
            indices(self.names, counts)
            ranks = ranks_of(self.ranks, setup.given.source, self._recorder.steps)
            values, tasks = step.stacked, step.tasks
            if ranks.size > 1:
                values, tasks = joint_losses(step, counts, setup.user_weights, ranks, setup.given.device)
            setup.hear("after_step")
            if len(values):
                self.method.after_step(values, tasks)

    def get_extra_state(self) -> dict[str, Any]:
        """What ``state_dict`` holds beside the method's state: steps, and which tasks reached what."""
        return {
            "names": list(self.names),
            "scale": self.scale,
            "steps": self._recorder.steps,
            "weights": self._setup.live.state(),
            "heard": sorted(self.heard),
            # pairs: torch.distributed.checkpoint loads into keys that are there, and those of a dict would be lost
            "reached": sorted(self._setup.given.reached.items()),
            "blurred": sorted(self._setup.given.blurred.items()),
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        """Take up what ``get_extra_state`` gave; the tasks must be the same, in the same order."""
        if tuple(state["names"]) != self.names:
            raise ValueError(f"the saved state is of tasks {state['names']}, this balancer has {list(self.names)}")
        self._require_scale(state.get("scale"))
        self._setup.live.load(state.get("weights"))
        self._recorder.steps, given = state["steps"], self._setup.given
        given.reached, given.blurred = dict(state["reached"]), dict(state.get("blurred", {}))
        self._setup.heard = set(state.get("heard", FEEDBACK))  # older states do not say: assume all

    def _require_scale(self, saved: str | None) -> None:
        """Raise, or warn where a state does not say, if a saved state is of steps of another length."""
        if saved == self.scale or not self._setup.scales():
            return
        if saved is not None:
            raise ValueError(
                f"the saved state is of steps at scale={saved!r}, and this balancer has scale={self.scale!r}: make it "
                f"with scale={saved!r}"
            )
        if self.scale == "sum":
            warnings.warn(
                f"the saved state is of a version whose steps had the paper's scale, and with scale='sum' those of "
                f"{self.method} are longer: make the balancer with scale='paper' to resume as it was",
                stacklevel=2,
            )

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _READ_ONLY and "_setup" in self.__dict__:
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
        if self._setup.given.device.type != "meta":  # a model that is filled later; state would lose its numbers
            self.method.to(self._setup.given.device)
        self._setup.live.start()

    def _by_objective(self, step: Step) -> Tensor:
        """One backward pass: the total's value, the objective's gradient."""
        setup = self._setup
        if not self._is_checked:  # raises if this is the wrong model
            graph = setup.given.graph_of(step.losses)
            if not graph.hides_parameters():
                setup.roles(step, graph)
            self._is_checked = True
        objective = setup.parts.weighting(step.stacked, step.tasks)
        reached = list(setup.given.graph_of([objective]).leaves) if self._looks_at_optimisers() else None
        # empty but for the backward: a hook that held the step or the objective would keep its graph
        seen: list[tuple[Step, Tensor]] = []
        value = objective.detach()

        def on_losses(gradient: Tensor) -> None:
            step, incoming = seen.pop()
            require_unused(step.raw, self.method)
            note_backward(step.raw, self.method)
            is_due = self._recorder.is_probe_due()
            gramian = compare_only(setup, step).measure(incoming)[0] if is_due else None
            self._look_at_optimisers(reached, ())
            weights = gradient.detach() / incoming
            self._recorder.note(step, weights, gramian, route="objective", objective=value)
            if setup.monitor is not None:
                setup.monitor.went_backward()

        step.stacked.register_hook(on_losses)
        loss = with_gradient_of(step.total, objective, lambda incoming: seen.append((step, incoming)))
        if setup.monitor is not None:
            setup.monitor.returns(loss, objective)
        return with_idle(setup, loss, step) if setup.is_joint else loss

    def _by_gradients(self, step: Step) -> Tensor:
        """A surrogate that balances the tasks' gradients when it goes backward."""
        setup, comparison = self._setup, compare(self._setup, step)
        weighting, graph = setup.parts.weighting, comparison.graph
        objective, scales = step.total, torch.ones_like(step.stacked)
        if not isinstance(weighting, Sum):
            objective, scales = linearise(weighting, step.stacked, step.tasks)
        learns = any(p.requires_grad for p in weighting.parameters())
        reached = None
        if self._looks_at_optimisers():
            reached = [*graph.leaves, *(setup.given.graph_of([objective]).leaves if learns else ())]

        @setup.turn.taken()
        @explained(step.raw, self.method)
        def backward(incoming: Tensor) -> list[Tensor | None]:
            graph.delay_to_the_outer_pass()
            self._look_at_optimisers(reached, comparison.roles.shared)
            if comparison.needs_gramian():
                decider = Decider(comparison, self._recorder, scales, incoming, comparison.describe())
                gradients = comparison.deliver(decider.decide, incoming)
            else:
                gradients = Decider(comparison, self._recorder, scales, incoming, "reused").at_known()
            if setup.monitor is not None:
                setup.monitor.went_backward()
            return gradients

        loss = surrogate(step.total, comparison.roles.leaves, backward)
        return loss + (objective - objective.detach()) if learns else loss

    def _looks_at_optimisers(self) -> bool:
        monitor = self._setup.monitor
        return monitor is not None and monitor.is_due_for_optimisers(self._recorder.steps + 1)

    def _look_at_optimisers(self, reached: list[Tensor] | None, shared: Sequence[Tensor]) -> None:
        """Look for parameters that no optimiser holds, among those that this step reaches if it is one that looks."""
        if reached is not None and self._setup.monitor is not None:
            self._setup.monitor.optimisers(self._setup.given.named(), set(reached), set(shared))


def _counts_of(losses: Mapping[str, Tensor], counts: Mapping[str, float] | None) -> Mapping[str, float]:
    """The labels behind each mean where they are known: as given, or as ``Tasks.losses`` counted them."""
    if counts is not None:
        return counts
    return losses.counts if isinstance(losses, TaskLosses) else {}
