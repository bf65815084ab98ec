"""One point out of many: the rules by which a trade-off becomes a decision, each stated in a line."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from equipoise.lab.evaluation import hypervolume
from equipoise.lab.search.trial import Objective, Trial, change
from equipoise.names import nearest

RuleName = Literal["delta-m", "knee", "preference"]
RULES = {
    "delta-m": "the trial with the lowest Δm against the defaults, on validation",
    "knee": "the trial on the front nearest to the best of every metric, each scaled from the front's best (0) to its "
    "worst (1)",
    "preference": "the trial on the front that loses least on the task it loses most on, losses scaled as for the knee "
    "and multiplied by the tasks' preferences",
}


def front(trials: Mapping[int, Trial], objectives: Sequence[Objective]) -> list[int]:
    """Numbers of the trials that none beats on one metric without losing on another; of equal ones the first."""
    numbers = sorted(number for number, trial in trials.items() if trial.values is not None)
    costs = _costs([trials[number] for number in numbers], objectives)
    kept = []
    for i, cost in enumerate(costs):
        no_worse = (costs <= cost).all(axis=1)
        better = no_worse & (costs < cost).any(axis=1)
        if not better.any() and not no_worse[:i].any():
            kept.append(numbers[i])
    return kept


def choose(
    trials: Mapping[int, Trial],
    baseline: Trial,
    objectives: Sequence[Objective],
    rule: str = "delta-m",
    preference: Mapping[str, float] | None = None,
) -> int:
    """The number of the trial that a rule of ``RULES`` chooses; of equals the first.

    Args:
        trials: Those to choose from; failed ones are left out.
        baseline: The trial with the defaults.
        objectives: What the values are.
        rule: Its name.
        preference: For the rule of that name: how much each task's loss hurts, 1 where a task is not named.

    Raises:
        ValueError: If nothing is there to choose from, or rule and preference do not fit.
    """
    kept = {number: trial for number, trial in trials.items() if trial.values is not None}
    if not kept:
        raise ValueError("no trial ended well: there is nothing to choose from")
    if rule not in RULES:
        raise ValueError(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
    if (rule == "preference") != bool(preference):
        raise ValueError("rule 'preference' and preferences of the tasks go together: give both or neither")
    if rule == "delta-m":
        return min(sorted(kept), key=lambda number: change(kept[number], baseline, objectives))
    tasks = [objective.task for objective in objectives]
    hurts = dict(preference or {})
    require_preference(hurts, tasks)
    numbers = front(kept, objectives)
    scaled = _scaled(_costs([kept[number] for number in numbers], objectives))
    if rule == "knee":
        return numbers[int(np.linalg.norm(scaled, axis=1).argmin())]
    return numbers[int((scaled * [hurts.get(task, 1.0) for task in tasks]).max(axis=1).argmin())]


def require_preference(preference: Mapping[str, float], tasks: Sequence[str]) -> None:
    """Raise ValueError if a preference names no task, or is no positive number."""
    for name, value in preference.items():
        if name not in tasks:
            raise ValueError(f"preference names {name!r}; {nearest(name, tasks)}")
        if not 0 < value < float("inf"):
            raise ValueError(f"preference of task {name!r} must be positive and finite, got {value}")


def covered(trials: Mapping[int, Trial], baseline: Trial, objectives: Sequence[Objective]) -> float:
    """Hypervolume of the trials that beat the defaults on every metric, with each metric in units of the defaults'.

    Raises:
        ValueError: If the baseline failed or has a metric that is not positive.
    """
    change(baseline, baseline, objectives)  # says what is wrong with it
    assert baseline.values is not None
    scale = np.array(baseline.values)
    points = [np.array(trial.values) / scale for trial in trials.values() if trial.values is not None]
    better = [objective.higher_is_better for objective in objectives]
    return hypervolume([point.tolist() for point in points], [1.0] * len(objectives), better)


def _costs(trials: Sequence[Trial], objectives: Sequence[Objective]) -> npt.NDArray[np.float64]:
    """[trials, objectives], lower is better."""
    sign = np.where([objective.higher_is_better for objective in objectives], -1.0, 1.0)
    costs: npt.NDArray[np.float64] = sign * np.array([trial.values for trial in trials], float)
    return costs.reshape(len(trials), len(objectives))


def _scaled(costs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Each column from its best (0) to its worst (1); a column without difference is 0."""
    span = np.ptp(costs, axis=0)
    scaled: npt.NDArray[np.float64] = (costs - costs.min(axis=0)) / np.where(span > 0, span, 1.0)
    return scaled
