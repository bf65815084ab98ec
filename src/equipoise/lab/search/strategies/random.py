"""Random search: each point drawn by itself, from the seed and its number; Optuna's sampler draws in sequence."""

from dataclasses import dataclass

import numpy as np

from equipoise.lab.search.space import Point, Space
from equipoise.lab.search.trial import Job, Trials


@dataclass(frozen=True)
class Random:
    """Equal weights, then weights from a Dirichlet or log-uniform distribution, the rest uniform on its axis.

    Args:
        space: What is searched.
        trials: How many points.
        seed: Two searches with one seed draw the same points.
        concentration: Of the Dirichlet distribution: 1 is even on the simplex, more stays near equal weights;
            None: the logarithms of the ratios are uniform within the span.

    Raises:
        ValueError: If ``trials`` or the concentration is out of its range.
    """

    space: Space
    trials: int
    seed: int = 0
    concentration: float | None = 1.0

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise ValueError(f"trials must be at least 1, got {self.trials}")
        if self.concentration is not None and not self.concentration > 0:
            raise ValueError(f"concentration must be positive or None, got {self.concentration!r}")

    @property
    def num_trials(self) -> int:
        """One per point."""
        return self.trials

    def job(self, number: int, trials: Trials) -> Job:
        """The point of a trial, whatever is finished."""
        return Job(number, draw(self.space, self.seed, number, self.concentration))


def draw(space: Space, seed: int, number: int, concentration: float | None) -> Point:
    """The point of a trial; the first is the default."""
    if number == 0:
        return space.default
    generator = np.random.default_rng((seed, number))
    shares = {axis.name: axis.at(generator.random()) for axis in space.axes}
    if concentration is None:
        bound = float(np.log(space.span))
        return {**{name: float(generator.uniform(-bound, bound)) for name in space.ratios}, **shares}
    weights = generator.dirichlet(np.full(max(len(space.tasks), 1), concentration))
    weights = np.maximum(weights, np.finfo(float).tiny)  # a share that underflowed; the span bounds it anyway
    return {**space.at_weights(dict(zip(space.tasks, weights.tolist(), strict=False))), **shares}
