"""What is searched: the ratios of the tasks' weights, and any numbers or choices beside them."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

Point = Mapping[str, float | str]  # a value for every name of a space


@dataclass(frozen=True)
class Number:
    """A number between two others, evenly or, with ``log``, by its logarithm.

    Args:
        name: ``lr``, ``wd``, an argument of the method, or ``task.argument`` of a task's loss.
        low: The least value.
        high: The largest value.
        default: What a user who does not search would take; the first trial has it.
        log: Whether equal factors count as equal steps; ``low`` is then positive.

    Raises:
        ValueError: If the range is empty or not finite, or does not hold the default.
    """

    name: str
    low: float
    high: float
    default: float
    log: bool = False

    def __post_init__(self) -> None:
        if not -math.inf < self.low < self.high < math.inf or (self.log and self.low <= 0):
            positive = "positive, " if self.log else ""
            raise ValueError(f"the range of {self.name!r} must be {positive}finite and rising, got {self._range}")
        if not self.low <= self.default <= self.high:
            raise ValueError(f"the default {self.default!r} of {self.name!r} is outside its range {self._range}")

    @property
    def _range(self) -> str:
        return f"{self.low!r}:{self.high!r}"

    def at(self, share: float) -> float:
        """The value a share in [0, 1] of the way up.

        >>> Number("lr", 1e-4, 1e-2, default=1e-3, log=True).at(0.5)
        0.001
        """
        if self.log:
            return float(np.clip(self.low ** (1 - share) * self.high**share, self.low, self.high))
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class Choice:
    """One of several words or numbers; the first is the default."""

    name: str
    options: tuple[str | float, ...]

    def __post_init__(self) -> None:
        if len(set(self.options)) < 2 or len(set(self.options)) < len(self.options):
            raise ValueError(f"the choice {self.name!r} needs two options or more, each once, got {self.options!r}")

    @property
    def default(self) -> str | float:
        """The first option."""
        return self.options[0]

    def at(self, share: float) -> str | float:
        """The option a share in [0, 1] of the way through the list."""
        return self.options[min(int(share * len(self.options)), len(self.options) - 1)]


@dataclass(frozen=True)
class Space:
    """What a point of a search fixes.

    Only ratios of weights matter to where a weighted sum has its optimum, so K weights are K - 1 numbers: the
    logarithm of each later task's weight over the first one's.

    Args:
        tasks: The tasks whose weights are searched; empty for none.
        axes: What else is searched.
        span: The largest ratio of a weight to the first one's, and its inverse the least.

    Raises:
        ValueError: If there is nothing to search, a name comes twice, or ``span`` is not above 1.
    """

    tasks: tuple[str, ...] = ()
    axes: tuple[Number | Choice, ...] = ()
    span: float = 100.0

    def __post_init__(self) -> None:
        names = self.names
        if len(self.tasks) == 1:
            raise ValueError(
                f"one weight has no ratio: {self.tasks[0]!r} is the only task; search something else, such as lr"
            )
        if not names:
            raise ValueError("nothing to search: give two tasks or more, or an axis")
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"{twice[0]!r} is searched twice")
        if not 1 < self.span < math.inf:
            raise ValueError(f"span must be above 1 and finite, got {self.span!r}")

    @property
    def ratios(self) -> tuple[str, ...]:
        """The names of the K - 1 logarithms."""
        return tuple(f"log({task}/{self.tasks[0]})" for task in self.tasks[1:])

    @property
    def names(self) -> tuple[str, ...]:
        """Every name of a point, in order."""
        return (*self.ratios, *(axis.name for axis in self.axes))

    @property
    def default(self) -> dict[str, float | str]:
        """Equal weights, and the defaults of the rest."""
        return dict.fromkeys(self.ratios, 0.0) | {axis.name: axis.default for axis in self.axes}

    def weights(self, point: Point) -> dict[str, float]:
        """The tasks' weights at a point, with mean 1, as the plain sum has them; empty if none are searched.

        >>> Space(("a", "b")).weights({"log(b/a)": math.log(3.0)})
        {'a': 0.5, 'b': 1.5}
        """
        if not self.tasks:
            return {}
        logs = np.array([0.0, *(float(point[name]) for name in self.ratios)])
        weights = np.exp(logs - logs.max())
        return dict(zip(self.tasks, (len(weights) * weights / weights.sum()).tolist(), strict=True))

    def at_weights(self, weights: Mapping[str, float]) -> dict[str, float | str]:
        """The default point, but with the ratios of these positive weights, kept within the span."""
        bound = math.log(self.span)
        first = math.log(weights[self.tasks[0]]) if self.tasks else 0.0
        logs = {
            name: float(np.clip(math.log(weights[task]) - first, -bound, bound))
            for name, task in zip(self.ratios, self.tasks[1:], strict=True)
        }
        return {**self.default, **logs}

    def others(self, point: Point) -> dict[str, Any]:
        """What a point says beside the weights."""
        return {axis.name: point[axis.name] for axis in self.axes}


def simplex(num_tasks: int, parts: int) -> list[tuple[float, ...]]:
    """All ways to share ``parts`` equal parts among the tasks, each at least one, scaled to mean 1.

    C(parts - 1, num_tasks - 1) points; 3 tasks and 10 parts are the 36 of Kirchdorfer et al., arXiv 2408.07985.

    >>> simplex(2, 4)
    [(0.5, 1.5), (1.0, 1.0), (1.5, 0.5)]
    """
    cuts = combinations(range(1, parts), num_tasks - 1)
    return [tuple(num_tasks * (b - a) / parts for a, b in pairwise((0, *cut, parts))) for cut in cuts]


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """A distribution for every name of the space."""
    bound = math.log(space.span)
    found: dict[str, BaseDistribution] = {name: FloatDistribution(-bound, bound) for name in space.ratios}
    for axis in space.axes:
        found[axis.name] = (
            CategoricalDistribution(axis.options)
            if isinstance(axis, Choice)
            else FloatDistribution(axis.low, axis.high, log=axis.log)
        )
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Warnings and errors of Optuna only; what the user set comes back."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(max(level, optuna.logging.WARNING))
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)
