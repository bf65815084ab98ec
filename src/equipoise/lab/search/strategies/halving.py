"""Successive halving: many begin, the better part continues.

Jamieson, Talwalkar, Non-stochastic Best Arm Identification and Hyperparameter Optimization, AISTATS 2016, fig. 3.
Optuna's pruners refuse several objectives; here Δm at equal steps decides, so that they are no matter.
"""

from dataclasses import dataclass
from functools import cached_property
from math import ceil

from equipoise.lab.search.space import Space
from equipoise.lab.search.strategies.random import draw
from equipoise.lab.search.trial import Job, Objective, Trials, changes


@dataclass(frozen=True)
class Halving:
    """Random points for a small share of a training; then 1/factor of them, by Δm, for ``factor`` times as long.

    The trial with the defaults continues through every stage, so that each has its baseline.

    Args:
        space: What is searched.
        objectives: What is measured.
        trials: How many points begin.
        seed: Two searches with one seed draw the same points.
        factor: How many begin a stage for each one that ends it well.
        stages: The last is a whole training.

    Raises:
        ValueError: If a number is out of its range.
    """

    space: Space
    objectives: tuple[Objective, ...]
    trials: int
    seed: int = 0
    factor: int = 2
    stages: int = 3

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("factor", 2), ("stages", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    @cached_property
    def begins(self) -> tuple[int, ...]:
        """The first trial of each stage, and the end."""
        sizes = [self.trials]
        while len(sizes) < self.stages:
            sizes.append(ceil(sizes[-1] / self.factor))
        return tuple(sum(sizes[:stage]) for stage in range(self.stages + 1))

    @property
    def num_trials(self) -> int:
        """One per point and stage."""
        return self.begins[-1]

    def job(self, number: int, trials: Trials) -> Job | None:
        """A random point in the first stage; later None until the stage before is finished."""
        stage = max(stage for stage in range(self.stages) if self.begins[stage] <= number)
        share = 1 / self.factor ** (self.stages - 1 - stage)
        if stage == 0:
            return Job(number, draw(self.space, self.seed, number, None), share)
        before = range(self.begins[stage - 1], self.begins[stage])
        if any(earlier not in trials for earlier in before):
            return None
        found = changes({earlier: trials[earlier] for earlier in before}, self.objectives)
        ranked = sorted(before, key=lambda earlier: (earlier != before[0], found[earlier], earlier))
        parent = ranked[number - self.begins[stage]]
        return Job(number, trials[parent].job.point, share, parent, self.begins[stage])
