"""What a balancing method is: four types, and their chain.

One word, one shape, in the whole package:

    losses [K]        one scalar per present task, the user's weight already in it
    tasks [K]         indices of the present tasks among all tasks, increasing
    jacobian [K, P]   row k is the gradient of loss k by the P shared parameters
    gramian [K, K]    jacobian @ jacobian.T
    gramians [N, K, K]    the same by the columns of each of N groups of parameters; their sum is the gramian
    weights [K]       what a method decides; row k of the jacobian counts weights[k] times
    gradient [P]      what the optimiser sees
    objective []      a scalar whose gradient by the losses is the weights
"""

import functools
import inspect
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import torch
from torch import Tensor, nn

UserWeight = Literal["scales", "preference", "inverts", "ignored"]
FEEDBACK = ("end_epoch", "observe", "after_step")  # what a training loop may tell a method, beside losses
_LIKE_WEIGHTS = ("weights", "weight", "user_weights")  # what one may take for the tasks' weights


class Method(nn.Module):
    """A rule for balancing K tasks.

    Arguments are stored under their own names, and are read-only once a balancer has the method. State lives in buffers
    and parameters that ``bind`` allocates, so ``state_dict()`` is the whole state. Tasks may be absent from a step: a
    method with state indexes its buffers by ``tasks``.

    ``sum_factor`` says how long its answers are beside the plain sum. ``user_weight`` says what becomes of the weight
    that a user gives a task: it scales the loss and so the result (``"scales"``), it becomes a preference
    (``"preference"``), a heavier loss counts less (``"inverts"``), or the method does not depend on the scale of a
    loss (``"ignored"``).

    State keeps its precision when a model is cast: ``.to()`` moves it between devices only.
    """

    user_weight: UserWeight = "scales"

    def __init__(self) -> None:
        super().__init__()
        self._is_taken = False
        self._preference: Tensor | None = None
        self._matches_sum = False

    def require_unbound(self) -> None:
        """Raise if a balancer has this method already; from now on one has."""
        if self._is_taken:
            raise ValueError(f"{self} already serves a balancer, with its state: make a new one for another")
        self._is_taken = True

    def name_tasks(self, names: Sequence[str]) -> None:
        """Take the names of all tasks, in order, for arguments given by name; called before ``bind``."""

    def bind(self, num_tasks: int) -> None:
        """Allocate buffers and parameters for ``num_tasks`` tasks; called once, by the balancer."""

    def prefer(self, weights: Tensor) -> None:
        """Take the users' weights [num_tasks] of all tasks as a preference; called after ``bind``."""
        self._preference = weights

    def preferred(self, tasks: Tensor) -> Tensor:
        """The users' weights [K] of these tasks in float64, 1 where nobody gave any."""
        if self._preference is None:
            return torch.ones(len(tasks), dtype=torch.float64, device=tasks.device)
        return self._preference.to(tasks.device)[tasks]

    def sum_factor(self, num_tasks: int) -> float | None:
        """How many times longer the sum of ``num_tasks`` equal gradients of equal losses is than what it answers.

        1 for a method that sums, ``num_tasks`` for one that means. ``None`` if its length is its own.
        """
        return 1.0

    def match_sum(self) -> None:
        """From now on answer ``sum_factor`` times the paper's; called by a balancer with ``scale="sum"``."""
        self._matches_sum = True

    def _stretch(self, num_tasks: int) -> float:
        """By what an answer for so many tasks is multiplied."""
        factor = self.sum_factor(num_tasks) if self._matches_sum else None
        if factor is not None and not 0 < factor < math.inf:
            raise ValueError(f"sum_factor({num_tasks}) of {self} must be positive and finite, or None, got {factor!r}")
        return 1.0 if factor is None else factor

    def stated(self, tasks: Sequence[int]) -> list[float] | None:
        """The weights [K] that the user stated in this method for the next step of these tasks, where there are any.

        They count in the total that the balancer returns, as the weights that it holds itself do. Asking changes no
        state.
        """
        return None

    def end_epoch(self) -> None:
        """Note that an epoch of training has ended."""

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        """Note validation results [K] of the given tasks: higher is better, errors and losses come negated."""

    def after_step(self, losses: Tensor, tasks: Tensor) -> None:
        """Note the losses [K] of the same batch after the optimiser's step."""

    @property
    def needs(self) -> frozenset[str]:
        """The calls that it needs to hear, of ``FEEDBACK``: by default the hooks that its class overrides.

        ``after_step`` costs a further forward pass. A balancer warns of a call that never comes.
        """
        return overridden(type(self), Method)

    def extra_repr(self) -> str:
        """The constructor's arguments that differ from their defaults, as they would be typed."""
        parameters = _parameters(type(self).__init__)
        given = {name: getattr(self, name) for name in parameters if hasattr(self, name)}
        return ", ".join(f"{n}={v!r}" for n, v in given.items() if v != parameters[n].default)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.extra_repr()})"

    def __setattr__(self, name: str, value: Any) -> None:
        if self.__dict__.get("_is_taken"):
            is_argument, live = name in _parameters(type(self).__init__), "change weights by balancer.set_weights"
            if is_argument:
                instead = f"make a new method with {name}={value!r} and a new balancer"
                if name == "weights":
                    instead += f", or give weights as tasks={{name: weight}} and {live}"
            else:
                instead = f"it has no such argument; {live}({{name: weight}})"
            if is_argument or self._mistakes_for_weights(name, value):
                raise AttributeError(f"{name} of {self} cannot be set once a balancer has it: {instead}")
        super().__setattr__(name, value)

    def _mistakes_for_weights(self, name: str, value: Any) -> bool:
        """Whether a user means the tasks' weights: state is a tensor, or an attribute that was there before."""
        is_state = value is None or isinstance(value, Tensor) or name in self.__dict__
        return name == "user_weight" or (name in _LIKE_WEIGHTS and not is_state)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "Method":
        super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)  # type: ignore[no-untyped-call]
        return self

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError as error:
            raise AttributeError(f"{error}; if it is state, call bind(num_tasks) first") from None


@functools.cache
def _parameters(constructor: Callable[..., None]) -> dict[str, inspect.Parameter]:
    """Its parameters, by name."""
    parameters = inspect.signature(constructor).parameters
    return {name: parameters[name] for name in list(parameters)[1:]}


def overridden(cls: type[Method], base: type[Method]) -> frozenset[str]:
    """The hooks, of ``FEEDBACK``, that a class does not take from its base."""
    return frozenset(call for call in FEEDBACK if getattr(cls, call) is not getattr(base, call))


def all_tasks(values: Tensor) -> Tensor:
    """Indices 0 … K-1 for a tensor whose first dimension is K."""
    return torch.arange(len(values), device=values.device)


def _of_shape(answer: Tensor, shape: torch.Size, method: Method, what: str) -> Tensor:
    if not isinstance(answer, Tensor):
        raise ValueError(f"{method} must return {what} as a tensor, got {type(answer).__name__}")
    if answer.shape != shape:
        raise ValueError(f"{method} must return {what} of shape {tuple(shape)}, got {tuple(answer.shape)}")
    return answer


def _stretched(answer: Tensor, stretch: float) -> Tensor:
    return answer if stretch == 1 else answer * stretch


class Weighting(Method):
    """``weighting(losses, tasks) -> objective``: one backward pass.

    ``losses`` [K] carry gradient; the objective's gradient by them is the weights.
    """

    def __call__(self, losses: Tensor, tasks: Tensor | None = None) -> Tensor:
        """The objective [] of losses [K]; tasks [K] default to all."""
        stretch = self._stretch(len(losses))
        shown = losses if stretch == 1 else _steeper(losses, stretch)
        objective = cast(Tensor, super().__call__(shown, all_tasks(losses) if tasks is None else tasks))
        _of_shape(objective, torch.Size(), self, "an objective")
        return objective if stretch == 1 else objective + (stretch - 1) * objective.detach()


def _steeper(losses: Tensor, factor: float) -> Tensor:
    """The same losses [K], through which gradients are multiplied: parameters of a method's own keep theirs."""
    shown = losses.view_as(losses)
    if shown.requires_grad:
        shown.register_hook(lambda gradient: factor * gradient)
    return shown


class _OnTheCPU(Method):
    """State that stays on the CPU in its own precision, beside the gramian, wherever the losses are."""

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Method:  # .to(), .cuda(), .half()
        return self


class Aggregator(_OnTheCPU):
    """``aggregator(gramian, losses, tasks) -> weights``, all float64 on the CPU.

    ``unsolved`` counts the steps in which the method's equations had no solution. ``residual`` is by how much the last
    step's answer misses its optimality conditions, for methods that solve some; a balancer takes it into its record.
    """

    unsolved: Tensor
    residual: float | None = None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("unsolved", torch.zeros((), dtype=torch.int64, device="cpu"))

    def certify(self, residual: float) -> None:
        """State the residual of this step's optimality conditions; above 1e-6 (or NaN) they count as unsolved.

        It is relative to the gramian's trace or to less, as the solver says; inf where there is no solution.
        """
        self.residual = float(residual)
        if not residual <= 1e-6:
            self.unsolved += 1

    def __call__(self, gramian: Tensor, losses: Tensor, tasks: Tensor | None = None) -> Tensor:
        """The weights [K] for a gramian [K, K] and losses [K]; tasks [K] default to all."""
        weights = cast(Tensor, super().__call__(gramian, losses, all_tasks(losses) if tasks is None else tasks))
        return _stretched(_of_shape(weights, losses.shape, self, "weights"), self._stretch(len(losses)))

    def needs_gramian(self, tasks: Tensor) -> bool:
        """Whether the next step, if it is one of these tasks [K], will read the gramian.

        Where it will not, the gramian is not measured: the method is given one of NaN.
        """
        return True


class GroupAggregator(_OnTheCPU):
    """``group(gramians, losses, tasks) -> weights`` [N, K], for methods that weigh groups of parameters apart.

    All in float64 on the CPU. A group by which no present task has a gradient shows a gramian of zeros.
    """

    def groups_of(self, parameters: Mapping[str, Tensor]) -> list[list[Tensor]]:
        """The N groups, of all parameters given to the balancer, by name; by default each parameter on its own.

        Those that tasks share must be in one, and in one only; the others need not.
        """
        return [[parameter] for parameter in parameters.values()]

    def __call__(self, gramians: Tensor, losses: Tensor, tasks: Tensor | None = None) -> Tensor:
        """The weights [N, K] for gramians [N, K, K] and losses [K]; tasks [K] default to all."""
        weights = cast(Tensor, super().__call__(gramians, losses, all_tasks(losses) if tasks is None else tasks))
        return _stretched(_of_shape(weights, gramians.shape[:2], self, "weights"), self._stretch(len(losses)))


class CoordinateAggregator(Method):
    """``coordinate(jacobian, losses, tasks) -> gradient``, for methods that need single coordinates.

    ``remembers`` says that it has state for single coordinates. These belong together by their places, so that a
    parameter that was ever shared is then shown in every step, with zeros where no task reaches it.
    ``returns_update`` says that the optimiser is part of the method: what it returns is to be subtracted, times a
    learning rate, which SGD without momentum does, and Adam would scale again.
    """

    remembers: bool = False
    returns_update: bool = False

    def __call__(self, jacobian: Tensor, losses: Tensor, tasks: Tensor | None = None) -> Tensor:
        """The gradient [P] for a jacobian [K, P] and losses [K]; tasks [K] default to all."""
        gradient = cast(Tensor, super().__call__(jacobian, losses, all_tasks(losses) if tasks is None else tasks))
        return _stretched(_of_shape(gradient, jacobian.shape[1:], self, "a gradient"), self._stretch(len(losses)))


class RowAggregator(CoordinateAggregator):
    """``row.decide(jacobian, losses, tasks) -> weights``, for methods that read rows and mix them as they are.

    gradient = weights @ jacobian. A subclass defines ``row_weights``; wrappers of weights take it.
    """

    @abstractmethod
    def row_weights(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        """The weights [K] for a jacobian [K, P] and losses [K] of the tasks [K]."""

    def decide(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        """``row_weights``, checked, and at the scale that the balancer has."""
        weights = self.row_weights(jacobian, losses, tasks)
        return _stretched(_of_shape(weights, losses.shape, self, "weights"), self._stretch(len(losses)))

    def needs_rows(self, tasks: Tensor) -> bool:
        """Whether the next step, if it is one of these tasks [K], will read the jacobian; else it is shown none."""
        return True

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return self.row_weights(jacobian, losses, tasks).to(jacobian) @ jacobian


class Sum(Weighting):
    """objective = sum_k loss_k: the plain sum, and the unit of ``Chain``."""

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return losses.sum()


def linearise(weighting: Weighting, losses: Tensor, tasks: Tensor) -> tuple[Tensor, Tensor]:
    """The objective [] cut off from the losses [K], and the weights [K] = d objective / d losses.

    What is left of the objective's graph leads to the weighting's own parameters.
    """
    with torch.enable_grad():
        leaf = losses.detach().requires_grad_()
        objective = weighting(leaf, tasks)
        (weights,) = torch.autograd.grad(objective, leaf, retain_graph=True)
    return objective, weights


class Composite(Method):
    """A method made of methods, its ``parts``, which are told all that it is told."""

    @property
    @abstractmethod
    def parts(self) -> tuple[Method, ...]:
        """The methods that it is made of."""

    def name_tasks(self, names: Sequence[str]) -> None:
        for part in self.parts:
            part.name_tasks(names)

    def bind(self, num_tasks: int) -> None:
        for part in self.parts:
            part.bind(num_tasks)

    def prefer(self, weights: Tensor) -> None:
        for part in self.parts:
            part.prefer(weights)

    def sum_factor(self, num_tasks: int) -> float | None:
        """The product of its parts'; ``None`` if the length of one of them is its own."""
        factors = [part.sum_factor(num_tasks) for part in self.parts]
        return None if None in factors else math.prod(cast(list[float], factors))

    def match_sum(self) -> None:
        """Every part matches the sum of what it is shown, so that what is made of them needs no factor of its own."""
        for part in self.parts:
            part.match_sum()

    def end_epoch(self) -> None:
        for part in self.parts:
            part.end_epoch()

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        for part in self.parts:
            part.observe(results, tasks)

    def after_step(self, losses: Tensor, tasks: Tensor) -> None:
        for part in self.parts:
            part.after_step(losses, tasks)

    @property
    def needs(self) -> frozenset[str]:
        """What its parts need, and what a subclass listens to itself."""
        return overridden(type(self), Composite).union(*(part.needs for part in self.parts))

    def require_nothing_learned(self) -> None:
        """Raise if a part has parameters, whose gradient would be lost where weights alone are taken of it."""
        if learned := [name for name, _ in self.named_parameters()]:
            raise ValueError(
                f"{self} would cut off the parameters {', '.join(learned)}, which learn from the losses: put what "
                "learns before it, as in Chain(UW(), Smooth(0.9, MGDA()))"
            )


class Chain(Composite):
    """Steps in turn, each seeing the rows that the one before scaled; again a method.

    Loss weightings come first, then aggregators, then at most one coordinate aggregator or group aggregator; the
    chain is of the type that sees most. It is associative, and ``Sum`` is its unit. Aggregators are shown the losses
    as they came, beside the rows that earlier steps scaled. In a balancer with ``scale="sum"`` each step that means
    sums instead: ``Chain(UnitNorm(), MGDA())`` is then as long as ``UnitNorm()`` where all gradients are equal.
    """

    def __new__(cls, *steps: Method) -> "Chain":
        """Choose the type of the chain: that of the step that sees most."""
        if cls is Chain:
            cls = _RANK[max((_rank(step) for step in steps), default=0)]
        return super().__new__(cls)

    def __init__(self, *steps: Method) -> None:
        super().__init__()
        flat = [inner for step in steps for inner in (step.steps if isinstance(step, Chain) else (step,))]
        self._steps = nn.ModuleList(step for step in flat if not isinstance(step, Sum))
        ranks = [_rank(step) for step in self.steps]
        if ranks != sorted(ranks) or sum(rank > 1 for rank in ranks) > 1:
            raise ValueError(
                "Chain takes loss weightings, then aggregators, then at most one coordinate aggregator or group "
                f"aggregator, got {self}"
            )
        for step in self.steps[1:]:
            if any(_compares(part) for part in step.modules()):
                raise ValueError(
                    f"{step} compares losses before and after a step, and must come first in a Chain, before they are "
                    f"scaled; got {self}"
                )
        if len(set(self.steps)) < len(self.steps):
            raise ValueError(f"Chain holds one method object twice, and its state with it: make two; got {self}")
        decisive = [step.user_weight for step in self.steps if step.user_weight != "scales"]
        self.user_weight = decisive[-1] if decisive else "scales"

    @property
    def steps(self) -> tuple[Method, ...]:
        """The steps, flattened, without the unit."""
        return tuple(cast(Iterator[Method], iter(self._steps)))

    @property
    def parts(self) -> tuple[Method, ...]:
        return self.steps

    def stated(self, tasks: Sequence[int]) -> list[float] | None:
        found = [weights for step in self.steps if (weights := step.stated(tasks)) is not None]
        return [math.prod(factors) for factors in zip(*found, strict=True)] if found else None

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Method:
        for step in self.steps:
            step._apply(fn, recurse)
        return self

    def __repr__(self) -> str:
        return f"Chain({', '.join(map(repr, self.steps))})"


def _compares(part: nn.Module) -> bool:
    """Whether this is a weighting that reads the losses after a step itself, and does not only hand them on."""
    return isinstance(part, Weighting) and not isinstance(part, Composite) and "after_step" in part.needs


class WeightingChain(Chain, Weighting):
    """A chain of loss weightings: weights multiply, each step's parameters follow its own objective."""

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        terms, own = losses, losses.new_zeros(())
        try:
            for step in self.steps[:-1]:
                objective, weights = linearise(cast(Weighting, step), terms, tasks)
                own = own + (objective - objective.detach())
                terms = weights * terms
            return own + (self.steps[-1](terms, tasks) if self.steps else terms.sum())
        except ValueError as error:
            if lost := [int(k) for k, term, loss in zip(tasks, terms, losses, strict=True) if term == 0 != loss]:
                raise ValueError(
                    f"a step of {self} gave weight 0 to tasks {lost} (counted from 0), so that the one after it saw "
                    "losses of 0: put a floor under the weights, as in Bounded(0.01, None, step), or turn the steps. "
                    f"It said: {error}"
                ) from error
            raise


class AggregatorChain(Chain, Aggregator):
    """A chain that ends in the space of K numbers: scaling row k by w_k makes G diag(w) G diag(w)."""

    def needs_gramian(self, tasks: Tensor) -> bool:
        return any(step.needs_gramian(tasks) for step in self.steps if isinstance(step, Aggregator))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        total = torch.ones_like(losses)
        for step in self.steps:
            if isinstance(step, Weighting):
                _, weights = linearise(step, losses, tasks)
            else:
                weights = step(gramian, losses, tasks)
            gramian = weights[:, None] * gramian * weights
            total = total * weights
        return total


class GroupChain(Chain, GroupAggregator):
    """A chain whose last step sees the scaled gramians of groups."""

    def groups_of(self, parameters: Mapping[str, Tensor]) -> list[list[Tensor]]:
        return cast(GroupAggregator, self.steps[-1]).groups_of(parameters)

    def forward(self, gramians: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        *scalings, last = self.steps
        weights = AggregatorChain(*scalings)(gramians.sum(dim=0), losses, tasks)
        return weights * cast(Tensor, last(weights[:, None] * gramians * weights, losses, tasks))


class CoordinateChain(Chain, CoordinateAggregator):
    """A chain whose last step sees the scaled jacobian."""

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        *scalings, last = self.steps
        rows = jacobian.double()
        weights = AggregatorChain(*scalings)((rows @ rows.T).cpu(), losses.double().cpu(), tasks.cpu())
        return cast(Tensor, last(weights.to(jacobian)[:, None] * jacobian, losses, tasks))


_RANK: list[type[Chain]] = [WeightingChain, AggregatorChain, GroupChain, CoordinateChain]


def _rank(method: Method) -> int:
    """How much a method sees: 0 losses, 1 the gramian, 2 gramians of groups, 3 the jacobian."""
    for rank, kind in enumerate((Weighting, Aggregator, GroupAggregator, CoordinateAggregator)):
        if isinstance(method, kind):
            return rank
    raise TypeError(
        f"a method is a Weighting, an Aggregator, a GroupAggregator or a CoordinateAggregator, got {method!r}"
    )


class Parts(NamedTuple):
    """A method by what its parts see: losses, the gramian, gramians of groups, rows."""

    weighting: Weighting
    aggregator: Aggregator | None
    group: GroupAggregator | None
    coordinate: CoordinateAggregator | None

    @property
    def takes_gradients(self) -> bool:
        """Whether a step needs the gradients of single tasks."""
        return any(part is not None for part in (self.aggregator, self.group, self.coordinate))

    @property
    def needs_whole_rows(self) -> bool:
        """Whether sums over slices of the gradients of all parameters are not enough."""
        return self.group is not None or self.coordinate is not None

    @property
    def row(self) -> RowAggregator | None:
        """The part that decides weights by rows."""
        return self.coordinate if isinstance(self.coordinate, RowAggregator) else None

    @property
    def decides_weights(self) -> bool:
        """Whether it decides one weight for each task."""
        return self.group is None and (self.coordinate is None or self.row is not None)

    @property
    def remembers(self) -> bool:
        """Whether the method has state for single coordinates."""
        modules = () if self.coordinate is None else self.coordinate.modules()
        return any(isinstance(part, CoordinateAggregator) and part.remembers for part in modules)


def split(method: Method) -> Parts:
    """The parts of a method; a chain falls into chains."""
    steps = Chain(method).steps
    weightings = [step for step in steps if isinstance(step, Weighting)]
    aggregators = [step for step in steps if isinstance(step, Aggregator)]
    return Parts(
        cast(Weighting, Chain(*weightings)) if len(weightings) > 1 else next(iter(weightings), Sum()),
        cast(Aggregator, Chain(*aggregators)) if aggregators else None,
        next((step for step in steps if isinstance(step, GroupAggregator)), None),
        next((step for step in steps if isinstance(step, CoordinateAggregator)), None),
    )
