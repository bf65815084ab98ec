"""Population based training of weights: the worst take over from the best, and look around.

Jaderberg et al., Population Based Training of Neural Networks, arXiv 1711.09846; for weights of tasks, Royer et al.,
Scalarization for Multi-Task and Multi-Domain Learning at Scale, NeurIPS 2023.
"""

import math
from dataclasses import dataclass

import numpy as np

from equipoise.lab.search.space import Point, Space
from equipoise.lab.search.strategies.random import draw
from equipoise.lab.search.trial import Job, Objective, Trials, changes


@dataclass(frozen=True)
class Population:
    """All train in turns; after each, the worst quarter by Δm continues from a copy of one of the best quarter.

    A copy's ratios of weights are multiplied or divided by ``step``, each by a coin. The first member keeps equal
    weights and is the baseline of each turn. What is found is a schedule of weights, not one vector: the member that
    ends best has the weights of its last turn, and its parents tell the ones before.

    Args:
        space: The tasks' weights and nothing else: a copied optimiser keeps its learning rate.
        objectives: What is measured.
        members: How many train at a time, 4 or more.
        turns: How often they are compared, the end included, 2 or more.
        seed: Two searches with one seed do the same.
        step: The factor of a change, above 1.

    Raises:
        ValueError: If an argument is out of its range.
    """

    space: Space
    objectives: tuple[Objective, ...]
    members: int
    turns: int = 4
    seed: int = 0
    step: float = 1.5

    def __post_init__(self) -> None:
        if self.space.axes:
            raise ValueError(f"a population searches weights only: leave out {self.space.axes[0].name!r}")
        for name, least in (("members", 4), ("turns", 2)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if not 1 < self.step < math.inf:
            raise ValueError(f"step must be above 1 and finite, got {self.step!r}")

    @property
    def num_trials(self) -> int:
        """One per member and turn."""
        return self.members * self.turns

    def job(self, number: int, trials: Trials) -> Job | None:
        """A random point in the first turn; later None until the turn before is finished."""
        turn, member = divmod(number, self.members)
        share = (turn + 1) / self.turns
        if turn == 0:
            return Job(number, draw(self.space, self.seed, number, None), share)
        before = range(number - member - self.members, number - member)
        if any(earlier not in trials for earlier in before):
            return None
        parent = before[member]
        point = trials[parent].job.point
        if member > 0:
            found = changes({earlier: trials[earlier] for earlier in before}, self.objectives)
            ranked = sorted(before, key=lambda earlier: (found[earlier], earlier))
            quarter = self.members // 4
            if parent in ranked[-quarter:]:
                generator = np.random.default_rng((self.seed, number))
                parent = ranked[int(generator.integers(quarter))]
                point = self._explore(trials[parent].job.point, generator)
        return Job(number, point, share, parent, number - member)

    def _explore(self, point: Point, generator: np.random.Generator) -> dict[str, float | str]:
        bound = math.log(self.space.span)
        coins = generator.choice((-1.0, 1.0), len(self.space.ratios)) * math.log(self.step)
        logs = [float(point[name]) for name in self.space.ratios]
        return dict(zip(self.space.ratios, np.clip(logs + coins, -bound, bound).tolist(), strict=True))
