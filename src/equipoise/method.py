"""What a balancing method is: four types. How they are put together: ``chain.py``.

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
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from equipoise.placement import KeepsPrecision, StaysOnCPU

UserWeight = Literal["scales", "preference", "inverts", "ignored"]
FEEDBACK = ("end_epoch", "observe", "after_step")  # what a training loop may tell a method, beside losses
_LIKE_WEIGHTS = ("weights", "weight", "user_weights")  # what one may take for the tasks' weights


class Method(KeepsPrecision):
    """A rule for balancing K tasks.

    Arguments are stored under their own names, and are read-only once a balancer has the method. State lives in buffers
    and parameters that ``bind`` allocates, so ``state_dict()`` is the whole state. Tasks may be absent from a step: a
    method with state indexes its buffers by ``tasks``.

    ``is_mean`` says that it gives one of K equal gradients, not their sum; ``own_norm``, in words, what the norm of its
    answer is where that is its own; ``counts_absent`` that tasks which are absent from a step count by what they showed
    last. ``user_weight`` says what becomes of the weight that a user gives a task: it scales the loss and so the
    result (``"scales"``), it becomes a preference (``"preference"``), a heavier loss counts less (``"inverts"``), or
    the method does not depend on the scale of a loss (``"ignored"``).
    """

    user_weight: UserWeight = "scales"
    counts_absent: bool = False
    is_mean: bool = False
    own_norm: str = ""

    def __init__(self) -> None:
        """A method for one balancer; the class says what it computes and takes."""  # editors show it where it is made
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

        As ``is_mean`` and ``own_norm`` say: 1 for a method that sums, ``num_tasks`` for one that means, ``None`` if its
        norm is its own. A method of another factor defines it.
        """
        return None if self.own_norm else float(num_tasks) if self.is_mean else 1.0

    def match_sum(self) -> None:
        """From now on answer ``sum_factor`` times the paper's; called by a balancer with ``scale="sum"``."""
        self._matches_sum = True

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
            is_argument = name in _parameters(type(self).__init__)
            is_state = value is None or isinstance(value, Tensor) or name in self.__dict__
            if is_argument or name == "user_weight" or (name in _LIKE_WEIGHTS and not is_state):
                instead = [f"make a new method with {name}={value!r} and a new balancer"] if is_argument else []
                if name in ("user_weight", *_LIKE_WEIGHTS):
                    instead.append("change weights by balancer.set_weights({name: weight})")
                way = ", or ".join(instead)
                raise AttributeError(f"{name} of {self} cannot be set once a balancer has it: {way}")
        super().__setattr__(name, value)

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


def _scale(method: Method, num_tasks: int) -> float:
    """By what a method's answer for so many tasks is multiplied."""
    factor = method.sum_factor(num_tasks) if method._matches_sum else None
    if factor is not None and not 0 < factor < math.inf:
        raise ValueError(f"sum_factor({num_tasks}) of {method} must be positive and finite, or None, got {factor!r}")
    return 1.0 if factor is None else factor


def _checked(method: Method, what: str, answer: Any, shape: torch.Size) -> Tensor:
    if not isinstance(answer, Tensor):
        raise ValueError(f"{method} must return {what} as a tensor, got {type(answer).__name__}")
    if answer.shape != shape:
        raise ValueError(f"{method} must return {what} of shape {tuple(shape)}, got {tuple(answer.shape)}")
    return answer


def _scaled(method: Method, what: str, answer: Any, shape: torch.Size, num_tasks: int) -> Tensor:
    """The answer, checked, at the scale that the balancer has."""
    checked, scale = _checked(method, what, answer, shape), _scale(method, num_tasks)
    return checked if scale == 1 else checked * scale


class Weighting(Method):
    """``weighting(losses, tasks) -> objective``: one backward pass.

    ``losses`` [K] carry gradient; the objective's gradient by them is the weights.
    """

    def __call__(self, losses: Tensor, tasks: Tensor | None = None) -> Tensor:
        """The objective [] of losses [K]; tasks [K] default to all."""
        scale = _scale(self, len(losses))
        steep = losses if scale == 1 else _steeper(losses, scale)
        answer = super().__call__(steep, all_tasks(losses) if tasks is None else tasks)
        objective = _checked(self, "an objective", answer, torch.Size())
        return objective if scale == 1 else objective + (scale - 1) * objective.detach()


def _steeper(losses: Tensor, factor: float) -> Tensor:
    """The same losses [K], through which gradients are multiplied: parameters of a method's own keep theirs."""
    shown = losses.view_as(losses)
    if shown.requires_grad:
        shown.register_hook(lambda gradient: factor * gradient)
    return shown


class Aggregator(StaysOnCPU, Method):
    """``aggregator(gramian, losses, tasks) -> weights``, all float64 on the CPU.

    So is its state, wherever the losses are. ``unsolved`` counts the steps in which the method's equations had no
    solution. ``residual`` is by how much the last step's answer misses its optimality conditions, for methods that
    solve some; a balancer takes it into its record.
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
        weights = super().__call__(gramian, losses, all_tasks(losses) if tasks is None else tasks)
        return _scaled(self, "weights", weights, losses.shape, len(losses))

    def needs_gramian(self, tasks: Tensor) -> bool:
        """Whether the next step, if it is one of these tasks [K], will read the gramian.

        Where it will not, the gramian is not measured: the method is given one of NaN.
        """
        return True


class GroupAggregator(StaysOnCPU, Method):
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
        weights = super().__call__(gramians, losses, all_tasks(losses) if tasks is None else tasks)
        return _scaled(self, "weights", weights, gramians.shape[:2], len(losses))


class CoordinateAggregator(Method):
    """``coordinate(jacobian, losses, tasks) -> gradient``, for methods that need single coordinates.

    With ``has_coordinate_state`` it has state for single coordinates. These belong together by their places, so that a
    parameter that was ever shared is then shown in every step, with zeros where no task reaches it.
    ``returns_update`` says that the optimiser is part of the method: what it returns is to be subtracted, times a
    learning rate, which SGD without momentum does, and Adam would scale again.
    """

    has_coordinate_state: bool = False
    returns_update: bool = False

    def __call__(self, jacobian: Tensor, losses: Tensor, tasks: Tensor | None = None) -> Tensor:
        """The gradient [P] for a jacobian [K, P] and losses [K]; tasks [K] default to all."""
        gradient = super().__call__(jacobian, losses, all_tasks(losses) if tasks is None else tasks)
        return _scaled(self, "a gradient", gradient, jacobian.shape[1:], len(losses))


class RowAggregator(CoordinateAggregator):
    """``row.decide(jacobian, losses, tasks) -> weights``, for methods that read rows and mix them as they are.

    gradient = weights @ jacobian. A subclass defines ``row_weights``; wrappers of weights take it.
    """

    @property
    def ages(self) -> Tensor | None:
        """Steps [num_tasks] since each task was seen, -1 before that; ``None`` where no row is of an earlier step."""
        return None

    @abstractmethod
    def row_weights(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        """The weights [K] for a jacobian [K, P] and losses [K] of the tasks [K]."""

    def decide(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        """``row_weights``, checked, and at the scale that the balancer has."""
        weights = self.row_weights(jacobian, losses, tasks)
        return _scaled(self, "weights", weights, losses.shape, len(losses))

    def needs_rows(self, tasks: Tensor) -> bool:
        """Whether the next step, if it is one of these tasks [K], will read the jacobian; else it is shown none."""
        return True

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return self.row_weights(jacobian, losses, tasks).to(jacobian) @ jacobian
