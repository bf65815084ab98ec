"""What the methods of a study took, from its costs.csv."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from equipoise.lab.evaluation.metric import SINGLE_TASK
from equipoise.lab.evaluation.study import RunCost


@dataclass(frozen=True)
class MethodCost:
    """Medians over seeds, and counts over all runs.

    Single-task is all its networks together: the sum of their times and passes, the largest of their memories, over the
    seeds that have every network; NaN where no seed has.

    Args:
        seconds_per_step: of training.
        backwards_per_step: backward passes.
        peak_memory_mb: in 10^6 bytes.
        seconds: of training in a run: steps times the median seconds per step; validation is left out.
        passes: backward passes of a run: steps times those of a step; unlike seconds, the same on a busy machine.
        skipped_steps: steps not taken because the gradient was not finite (NaN skips).
        unsolved_steps: steps in which the method's equations had no solution.
    """

    seconds_per_step: float
    backwards_per_step: float
    peak_memory_mb: float
    seconds: float
    passes: float
    skipped_steps: int
    unsolved_steps: int


def method_costs(rows: Iterable[RunCost], tasks: int) -> dict[str, MethodCost]:
    """The cost of each method, from the rows of costs.csv of a study with so many tasks."""
    found: dict[str, dict[int, list[RunCost]]] = {}
    for row in rows:
        found.setdefault(row.method, {}).setdefault(row.seed, []).append(row)
    return {name: _cost(by_seed.values(), tasks if name == SINGLE_TASK else 1) for name, by_seed in found.items()}


def _cost(seeds: Iterable[list[RunCost]], networks: int) -> MethodCost:
    whole = [runs for runs in seeds if len(runs) == networks]

    def middle(by_seed: Iterable[float]) -> float:
        return median(by_seed) if whole else float("nan")

    return MethodCost(
        middle(sum(run.seconds_per_step for run in runs) for runs in whole),
        middle(sum(run.backwards_per_step for run in runs) for runs in whole),
        middle(max(run.peak_memory_mb for run in runs) for runs in whole),
        middle(sum(run.seconds_per_step * run.steps for run in runs) for runs in whole),
        middle(sum(run.backwards_per_step * run.steps for run in runs) for runs in whole),
        sum(run.skipped_steps for runs in seeds for run in runs),
        sum(run.unsolved_steps for runs in seeds for run in runs),
    )
