"""TPE: draw where good points are dense and bad ones are not, by Optuna.

Bergstra et al., Algorithms for Hyper-Parameter Optimization, NeurIPS 2011, with joint densities as in Falkner et al.,
BOHB, ICML 2018; for several objectives Ozaki et al., Multiobjective Tree-Structured Parzen Estimator, JAIR 2022.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import optuna

from equipoise.lab.search.space import Space, distributions, quiet
from equipoise.lab.search.strategies.random import draw
from equipoise.lab.search.trial import Job, Objective, Trial, Trials, changes


@dataclass(frozen=True)
class TPE:
    """The defaults, some random points, then for trial n a point by TPE from trials 0 to n - ``lag``.

    Args:
        space: What is searched.
        objectives: What is measured.
        trials: The number of trials.
        seed: Two searches with one seed try the same points.
        front: False: a single objective, Δm; True: one objective per task, its metric, for the Pareto front.
        start: How many random points follow the defaults; None: a third of the trials, at most 10.
        lag: How many trials may run at the same time.

    Raises:
        ValueError: If a number is out of its range.
    """

    space: Space
    objectives: tuple[Objective, ...]
    trials: int
    seed: int = 0
    front: bool = False
    start: int | None = None
    lag: int = 4

    def __post_init__(self) -> None:
        for name in ("trials", "lag"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.start is not None and self.start < 1:
            raise ValueError(f"start must be at least 1 or None, got {self.start}")

    @property
    def num_trials(self) -> int:
        """As many as ``trials``."""
        return self.trials

    def job(self, number: int, trials: Trials) -> Job | None:
        """The defaults or a random point at first; then None until all trials up to ``number - lag`` are finished."""
        start = min(10, self.trials // 3) if self.start is None else self.start
        if number <= start:
            return Job(number, draw(self.space, self.seed, number, None))
        known = range(max(number - self.lag, 0) + 1)
        if any(earlier not in trials for earlier in known):
            return None
        return Job(number, self._propose([trials[earlier] for earlier in known], number))

    def _propose(self, known: Sequence[Trial], number: int) -> dict[str, float | str]:
        """The point of trial ``number`` by Optuna's sampler, from these trials."""
        space, costs = distributions(self.space), self._costs(known)
        seed = int(np.random.SeedSequence((self.seed, number)).generate_state(1)[0])
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=0, multivariate=True)
        with quiet():
            study = optuna.create_study(sampler=sampler, directions=["minimize"] * costs.shape[1])
            study.add_trials(
                [
                    optuna.trial.create_trial(params=dict(trial.job.point), distributions=space, values=cost)
                    for trial, cost in zip(known, costs.tolist(), strict=True)
                ]
            )
            return dict(study.ask(space).params)

    def _costs(self, known: Sequence[Trial]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """[trials, objectives], lower is better; a failed trial is as bad as the worst, 0 where all failed."""
        if self.front:
            failed = (np.nan,) * len(self.objectives)
            sign = np.where([objective.higher_is_better for objective in self.objectives], -1.0, 1.0)
            costs = sign * np.array([failed if trial.values is None else trial.values for trial in known])
        else:
            by_number = changes({trial.job.number: trial for trial in known}, self.objectives)
            costs = np.array([[by_number[trial.job.number]] for trial in known])
        finite = np.isfinite(costs)
        worst = np.where(finite, costs, -np.inf).max(axis=0)
        filled: np.ndarray[tuple[int, int], np.dtype[np.float64]] = np.where(
            finite, costs, np.where(np.isfinite(worst), worst, 0.0)
        )
        return filled
