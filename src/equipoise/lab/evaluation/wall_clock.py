"""A study at equal wall-clock: what each method had reached when the cheapest was done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, nan
from statistics import fmean, median

from equipoise.lab.evaluation.metric import REFERENCE, SINGLE_TASK, TaskMetric
from equipoise.lab.evaluation.statistics import Interval, paired_t
from equipoise.lab.evaluation.study import Curves, RunCost


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

    A run's time is its steps times its method's median seconds per step. Each run shows the best epoch on
    validation, by the study's criterion, of those that fit in, to the nearest whole epoch, so that noise in the clock
    costs none.
    """
    runs = [row for row in costs if row.method != SINGLE_TASK]
    methods = list(dict.fromkeys(row.method for row in runs))
    if len(methods) < 2:
        return None
    speed = {name: median(r.seconds_per_step for r in runs if r.method == name) for name in methods}
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
