"""A trial before and after: what is to be tried and who says so, and how well each task did."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from equipoise.lab.evaluation import delta_m
from equipoise.lab.search.space import Point, Space


@dataclass(frozen=True)
class Objective:
    """What is measured of a task on validation: its metric, never its loss, which a weight could shrink."""

    task: str
    metric: str
    higher_is_better: bool


@dataclass(frozen=True)
class Job:
    """A trial, or a stage of one.

    Args:
        number: Its place in the search, counted from 0; trial 0 has the defaults, of weights equal ones.
        point: What is tried.
        share: How much of a whole training it takes, counted from the beginning, above 0 to 1.
        parent: The trial whose training it continues; None begins anew.
        baseline: The trial with the defaults and as much training, which Δm is against.
    """

    number: int
    point: Point
    share: float = 1.0
    parent: int | None = None
    baseline: int = 0

    def __str__(self) -> str:
        return f"trial {self.number}"


@dataclass(frozen=True)
class Trial:
    """A finished job; ``values`` are one for each objective, None where it failed for ``reason``."""

    job: Job
    values: tuple[float, ...] | None
    reason: str = ""


def mark(job: Job, values: Sequence[float]) -> str:
    """A checksum of a job and its values."""
    what = (job.number, sorted(job.point.items()), job.share, job.parent, job.baseline, [float(v) for v in values])
    return hashlib.sha256(repr(what).encode()).hexdigest()


Trials = Mapping[int, Trial]  # by number, finished ones only
Report = Callable[..., None]
Evaluate = Callable[[Job, Report], Sequence[float]]  # values in the objectives' order; pickled into workers


class Strategy(Protocol):
    """A search in so many trials.

    A trial's job depends on the strategy's arguments and on stated earlier trials, nothing else: so a
    search that is interrupted, or runs in many processes, tries the same points as one that is left alone.
    """

    @property
    def space(self) -> Space:
        """What is searched."""

    @property
    def num_trials(self) -> int:
        """How many jobs there are."""

    def job(self, number: int, trials: Trials) -> Job | None:
        """The job of a trial; None while it waits for trials that are not finished."""


def change(trial: Trial, baseline: Trial, objectives: Sequence[Objective]) -> float:
    """Δm of a trial's values against the baseline's in percent, lower is better; inf if it failed.

    Raises:
        ValueError: If the baseline failed, or has a value that is not positive, where Δm means nothing.
    """
    if trial.values is None:
        return math.inf
    if baseline.values is None:
        raise ValueError(f"the trial with the defaults failed, so Δm has no baseline: {baseline.reason}")
    value = delta_m(trial.values, baseline.values, [objective.higher_is_better for objective in objectives])
    if math.isnan(value):
        worst = min(zip(baseline.values, objectives, strict=True), key=lambda pair: pair[0])
        raise ValueError(
            f"Δm needs positive metrics, but {worst[1].metric} of {worst[1].task} is {worst[0]:g} with the defaults: "
            "make another metric the task's first one"
        )
    return value


def changes(trials: Trials, objectives: Sequence[Objective]) -> dict[int, float]:
    """Δm of each trial by number, against the defaults at the same share of a training."""
    there = {number: trial for number, trial in trials.items() if trial.job.baseline in trials}
    return {number: change(trial, trials[trial.job.baseline], objectives) for number, trial in there.items()}
