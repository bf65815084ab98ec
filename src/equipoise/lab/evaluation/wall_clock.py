"""A study at equal wall-clock: what each method had reached when the cheapest was done."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import floor, isfinite, nan
from statistics import fmean, median

from equipoise.lab.evaluation.metric import REFERENCE, SINGLE_TASK, TaskMetric
from equipoise.lab.evaluation.statistics import Interval, paired_t


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


def equal_time(
    history: Iterable[Mapping[str, str]], costs: Iterable[Mapping[str, str]], metrics: Sequence[TaskMetric]
) -> EqualTime | None:
    """From the rows of history.csv and costs.csv; None for fewer than two balancings.

    A run's time is its steps times its method's median seconds per step. Each run shows the best epoch on
    validation, by the study's criterion, of those that fit in, to the nearest whole epoch, so that noise in the clock
    costs none.
    """
    runs = [row for row in costs if row["method"] != SINGLE_TASK]
    methods = list(dict.fromkeys(row["method"] for row in runs))
    if len(methods) < 2:
        return None
    speed = {name: median(float(r["seconds_per_step"]) for r in runs if r["method"] == name) for name in methods}
    epoch = {
        (row["method"], int(row["seed"])): speed[row["method"]] * int(row["steps"]) / int(row["epochs"]) for row in runs
    }
    trained = {(row["method"], int(row["seed"])): int(row["epochs"]) for row in runs}
    length = {name: median(epoch[run] * trained[run] for run in epoch if run[0] == name) for name in methods}
    cheapest = min(length, key=lambda name: length[name])
    curves = _curves(history)
    fits = {run: min(trained[run], floor(length[cheapest] / epoch[run] + 0.5)) for run in epoch}
    shown: dict[str, dict[str, dict[int, float]]] = {n: {m.task: {} for m in metrics} for n in methods}
    for (name, seed), last in fits.items():
        by = "selection" if (name, seed, "all", "selection") in curves else "skill"
        scores = {e: s for e, s in curves.get((name, seed, "all", by), {}).items() if e <= last and isfinite(s)}
        if scores:
            best = max(scores, key=lambda e: (scores[e], -e))
            for metric in metrics:
                value = curves.get((name, seed, metric.task, metric.name), {}).get(best, nan)
                if isfinite(value):
                    shown[name][metric.task][seed] = value
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


def _curves(history: Iterable[Mapping[str, str]]) -> dict[tuple[str, int, str, str], dict[int, float]]:
    curves: dict[tuple[str, int, str, str], dict[int, float]] = {}
    for row in history:
        if row["split"] == "validation" and row["method"] != SINGLE_TASK:
            key = (row["method"], int(row["seed"]), row["task"], row["quantity"])
            curves.setdefault(key, {})[int(row["epoch"])] = float(row["value"])
    return curves


def _paired(mine: Mapping[int, float], theirs: Mapping[int, float]) -> Interval | None:
    pairs = [mine[seed] - theirs[seed] for seed in mine if seed in theirs]
    return paired_t(pairs) if pairs else None
