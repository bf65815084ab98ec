"""Random search: each point depends on the seed and the trial's number only; Optuna's sampler draws in sequence."""

from dataclasses import dataclass

import numpy as np

from equipoise.lab.search.space import Point, Space
from equipoise.lab.search.trial import Job, Trials


@dataclass(frozen=True)
class Random:
    """Trial 0 has the defaults and equal weights; the others are drawn, weights and the space's axes independently.

    Weights come from a Dirichlet or a log-uniform distribution; the value on an axis is uniform, or log-uniform where
    the axis says ``log``.

    Args:
        space: What is searched.
        trials: The number of trials.
        seed: Two searches with one seed draw the same points.
        concentration: Of the symmetric Dirichlet distribution of the weights: 1 is uniform on the simplex, more stays
            near equal weights. None: the logarithms of the weights' ratios are uniform within the space's span.

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
        """As many as ``trials``."""
        return self.trials

    def job(self, number: int, trials: Trials) -> Job:
        """The job of a trial; the finished ``trials`` do not matter."""
        return Job(number, draw(self.space, self.seed, number, self.concentration))


def draw(space: Space, seed: int, number: int, concentration: float | None) -> Point:
    """The point of trial ``number``: a value by name of each ratio of weights and axis; the default for trial 0."""
    if number == 0:
        return space.default
    generator = np.random.default_rng((seed, number))
    on_axes = {axis.name: axis.at(generator.random()) for axis in space.axes}
    if concentration is None:
        bound = float(np.log(space.span))
        return {**{name: float(generator.uniform(-bound, bound)) for name in space.ratios}, **on_axes}
    weights = generator.dirichlet(np.full(max(len(space.tasks), 1), concentration))
    weights = np.maximum(weights, np.finfo(float).tiny)  # 0 has no logarithm; the span bounds ratios anyway
    return {**space.at_weights(dict(zip(space.tasks, weights.tolist(), strict=False))), **on_axes}
