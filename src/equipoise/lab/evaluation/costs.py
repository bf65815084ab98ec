"""What the methods of a study took, whether their budgets were equal, and what each had reached at equal wall-clock."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, nan
from statistics import fmean, median

from equipoise.lab.evaluation.metric import REFERENCE, SINGLE_TASK, TaskMetric
from equipoise.lab.evaluation.statistics import Interval, paired_t
from equipoise.lab.evaluation.study import Curves, RunCost

ALIKE = 1.25  # times the fewest backward passes of a run
MOST_NAMED = 2  # methods of one budget
WORDS = {
    "epochs": "epochs allowed",
    "batch_size": "batch size",
    "trials": "search trials",
    "trainings": "trainings for one run",
}

Budgets = Mapping[str, Mapping[str, int]]  # [method][a key of WORDS], as study.json holds them


@dataclass(frozen=True)
class MethodCost:
    """Medians over seeds, and counts over all runs.

    Single-task is all its networks together: the sum of their times and passes, the largest of their memories, over the
    seeds that have every network; NaN where no seed has.

    Args:
        step_seconds: of training, for each seed.
        backwards_per_step: backward passes.
        peak_memory_mb: in 10^6 bytes.
        seconds: of training in a run: steps times the median seconds per step; validation is left out.
        passes: backward passes of a run: steps times those of a step; unlike seconds, the same on a busy machine.
        skipped_steps: steps not taken because the gradient was not finite (NaN skips).
        unsolved_steps: steps in which the method's equations had no solution.
        best_epoch: mean of the epochs that were kept.
        epochs: the most of a run.
    """

    step_seconds: Mapping[int, float]
    backwards_per_step: float
    peak_memory_mb: float
    seconds: float
    passes: float
    skipped_steps: int
    unsolved_steps: int
    best_epoch: float = nan
    epochs: int = 0

    @property
    def seconds_per_step(self) -> float:
        """Of training, the median over seeds."""
        return median(self.step_seconds.values()) if self.step_seconds else nan


def method_costs(rows: Iterable[RunCost], tasks: int) -> dict[str, MethodCost]:
    """The cost of each method, from the rows of costs.csv of a study with so many tasks."""
    found: dict[str, dict[int, list[RunCost]]] = {}
    for row in rows:
        found.setdefault(row.method, {}).setdefault(row.seed, []).append(row)
    return {name: _cost(by_seed.values(), tasks if name == SINGLE_TASK else 1) for name, by_seed in found.items()}


def step_ratio(one: Mapping[int, float], other: Mapping[int, float]) -> float:
    """One method's seconds per step over another's, both by seed: the median within a seed; NaN if one has none.

    Runs of a seed are trained one after another, so that what keeps a machine busy for a while falls on both. Where
    they share no seed, the quotient of their medians.
    """
    ratios = [seconds / other[seed] for seed, seconds in one.items() if other.get(seed, 0.0) > 0]
    if ratios:
        return median(ratios)
    usual = median(other.values()) if other else 0.0
    return median(one.values()) / usual if one and usual > 0 else nan


def _cost(seeds: Iterable[list[RunCost]], networks: int) -> MethodCost:
    whole = [runs for runs in seeds if len(runs) == networks]

    def middle(by_seed: Iterable[float]) -> float:
        return median(by_seed) if whole else nan

    return MethodCost(
        {runs[0].seed: sum(run.seconds_per_step for run in runs) for runs in whole},
        middle(sum(run.backwards_per_step for run in runs) for runs in whole),
        middle(max(run.peak_memory_mb for run in runs) for runs in whole),
        middle(sum(run.seconds_per_step * run.steps for run in runs) for runs in whole),
        middle(sum(run.backwards_per_step * run.steps for run in runs) for runs in whole),
        sum(run.skipped_steps for runs in seeds for run in runs),
        sum(run.unsolved_steps for runs in seeds for run in runs),
        fmean(run.best_epoch for runs in whole for run in runs) if whole else nan,
        max(run.epochs for runs in seeds for run in runs),
    )


def unequal(budgets: Budgets, costs: Mapping[str, MethodCost]) -> tuple[str, ...]:
    """What differs between the methods, in words; empty for an equal study.

    Epochs are those a run was allowed: to stop early by the same rule is equal. The computation of a run is counted, in
    backward passes, and not timed, as a busy machine would change the answer; runs count as equal up to a factor of
    1.25. The single-task networks have a budget like the others, each for itself; what several networks take together
    stands in the table of costs.

    >>> unequal({"sum": {"trials": 20}, "uw": {"trials": 1}}, {})
    ('search trials (uw 1, sum 20)',)
    """
    found = []
    for key, words in WORDS.items():
        given = {method: budget[key] for method, budget in budgets.items() if key in budget}
        if len(set(given.values())) > 1:
            found.append(f"{words} ({_by_size(given)})")
    passes = {name: cost.passes for name, cost in costs.items() if name != SINGLE_TASK and cost.passes > 0}
    if passes and max(passes.values()) > ALIKE * min(passes.values()):
        least, most = min(passes, key=lambda name: passes[name]), max(passes, key=lambda name: passes[name])
        found.append(f"backward passes of a run ({least} {passes[least]:,.0f}, {most} {passes[most]:,.0f})")
    return tuple(found)


def _by_size(given: Mapping[str, int]) -> str:
    """Every value with the methods that have it, the smallest first; of many methods the largest group unnamed."""
    sizes = sorted(set(given.values()))
    groups = {size: [name for name in given if given[name] == size] for size in sizes}
    most = max(sizes, key=lambda size: len(groups[size]))
    if len(groups[most]) > MOST_NAMED:
        groups[most] = ["the others"]
    return ", ".join(f"{' and '.join(names)} {size}" for size, names in groups.items())


@dataclass(frozen=True)
class Reached:
    """A method at that time: its epochs until then (mean over seeds) and, by task, its mean over seeds.

    ``to_sum`` is the paired difference to the plain sum, not tested; None for itself or without pairs. A task is NaN
    where no run had finished its first epoch.
    """

    method: str
    epochs: float
    values: Mapping[str, float]
    to_sum: Mapping[str, Interval | None]


@dataclass(frozen=True)
class EqualTime:
    """Validation metrics after ``seconds`` of training, the time of ``cheapest``; the test split is not read for it."""

    seconds: float
    cheapest: str
    rows: tuple[Reached, ...]


def equal_time(curves: Curves, costs: Iterable[RunCost], metrics: Sequence[TaskMetric]) -> EqualTime | None:
    """From the validation metrics and costs of the runs; None for fewer than two methods.

    A run's time is its steps times its method's seconds per step: the first method's median, times the ratio to it.
    Each run shows the best epoch on validation, by the study's criterion, of those that fit in, to the nearest whole
    epoch, so that noise in the clock costs none.
    """
    runs = [row for row in costs if row.method != SINGLE_TASK]
    methods = list(dict.fromkeys(row.method for row in runs))
    if len(methods) < 2:
        return None
    by_seed = {name: {r.seed: r.seconds_per_step for r in runs if r.method == name} for name in methods}
    first = by_seed[methods[0]]
    speed = {name: step_ratio(mine, first) * median(first.values()) for name, mine in by_seed.items()}
    epoch = {(row.method, row.seed): speed[row.method] * row.steps / row.epochs for row in runs}
    trained = {(row.method, row.seed): row.epochs for row in runs}
    length = {name: median(epoch[run] * trained[run] for run in epoch if run[0] == name) for name in methods}
    cheapest = min(length, key=lambda name: length[name])
    fits = {run: min(trained[run], floor(length[cheapest] / epoch[run] + 0.5)) for run in epoch}
    shown: dict[str, dict[str, dict[int, float]]] = {n: {m.task: {} for m in metrics} for n in methods}
    for (name, seed), last in fits.items():
        selected = curves.get((name, "all", "validation selection"), {})
        by = selected if seed in selected else curves.get((name, "all", "validation skill"), {})
        scores = {e: s for e, s in by.get(seed, {}).items() if e <= last}
        if scores:
            best = max(scores, key=lambda e: (scores[e], -e))
            for metric in metrics:
                reached = curves.get((name, metric.task, f"validation {metric.name}"), {}).get(seed, {})
                if best in reached:
                    shown[name][metric.task][seed] = reached[best]
    rows = [
        Reached(
            name,
            fmean(last for run, last in fits.items() if run[0] == name),
            {task: fmean(found.values()) if found else nan for task, found in shown[name].items()},
            {
                task: None if name == REFERENCE else _paired(found, shown.get(REFERENCE, {}).get(task, {}))
                for task, found in shown[name].items()
            },
        )
        for name in methods
    ]
    return EqualTime(length[cheapest], cheapest, tuple(rows))


def _paired(mine: Mapping[int, float], theirs: Mapping[int, float]) -> Interval | None:
    pairs = [mine[seed] - theirs[seed] for seed in mine if seed in theirs]
    return paired_t(pairs) if pairs else None
