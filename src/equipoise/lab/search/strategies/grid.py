"""Grid: every combination of even steps, listed by ourselves, since Optuna's grid repeats points among processes."""

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import comb, prod

from equipoise.lab.search.space import Choice, Point, Space, simplex
from equipoise.lab.search.trial import Job, Trials

LEVELS = 3  # of a number beside the weights


@dataclass(frozen=True)
class Grid:
    """Equal weights, then the finest grid that fits: weights on the simplex, times levels of everything else.

    Args:
        space: What is searched.
        trials: The most points.

    Raises:
        ValueError: If not even the coarsest grid fits.
    """

    space: Space
    trials: int

    def __post_init__(self) -> None:
        if (least := 1 + self._combinations * (len(self.space.tasks) or 1)) > self.trials:
            raise ValueError(f"a grid over {', '.join(self.space.names)} needs {least} trials, got {self.trials}")

    @property
    def _combinations(self) -> int:
        return prod(len(axis.options) if isinstance(axis, Choice) else LEVELS for axis in self.space.axes)

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """Every point once."""
        axes = [
            axis.options if isinstance(axis, Choice) else [axis.at(i / (LEVELS - 1)) for i in range(LEVELS)]
            for axis in self.space.axes
        ]
        beside = [dict(zip((axis.name for axis in self.space.axes), values, strict=True)) for values in product(*axes)]
        points = [self.space.default, *({**weights, **values} for weights in self._weights() for values in beside)]
        return tuple(point for i, point in enumerate(points) if point not in points[:i])

    def _weights(self) -> list[Point]:
        tasks = self.space.tasks
        if not tasks:
            return [{}]
        parts = len(tasks) + 1
        while comb(parts, len(tasks) - 1) * self._combinations < self.trials:
            parts += 1
        return [self.space.at_weights(dict(zip(tasks, weights, strict=True))) for weights in simplex(len(tasks), parts)]

    @property
    def num_trials(self) -> int:
        """How many points there are."""
        return len(self.points)

    def job(self, number: int, trials: Trials) -> Job:
        """The point of a trial, whatever is finished."""
        return Job(number, self.points[number])
