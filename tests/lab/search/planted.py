"""A case whose best weights are known: K noisy copies of one regression, and one vector shared by all.

Task k sees targets y_k = θ* + σ_k ε_k, n of each coordinate. The minimum of Σ w_k |θ - y_k|² is θ = Σ w_k ȳ_k / Σ w_k,
whose mean squared error is Σ w_k² σ_k² / (n (Σ w_k)²), least at w_k ∝ 1 / σ_k². Every task is judged by its error
against θ* in units of its own noise, so that Δm and the front have the same one best point.
"""

import math
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from equipoise.lab.search import Objective, Space

SIGMAS = {"a": 1.0, "b": 0.5, "c": 2.0}
TASKS = tuple(SIGMAS)
OBJECTIVES = tuple(Objective(task, "error", higher_is_better=False) for task in TASKS)
BEST = {task: 3 * s**-2 / sum(t**-2 for t in SIGMAS.values()) for task, s in SIGMAS.items()}
SPACE = Space(TASKS)


def error(weights):
    """The expected squared error of the shared estimate, 1 at the best weights."""
    w, sigma = np.array([weights[task] for task in TASKS]), np.array(list(SIGMAS.values()))
    return float((w**2 * sigma**2).sum() / w.sum() ** 2 * (sigma**-2).sum())


@dataclass(frozen=True)
class Planted:
    """An evaluation; the trials of ``deadly`` kill their process as often as they have letters in their file."""

    space: Space = SPACE
    folder: Path | None = None
    deadly: tuple[int, ...] = ()
    failing: tuple[int, ...] = ()

    def __call__(self, job, report):
        report(1, 1, 0.0, {})
        if self.folder is not None:
            mark = self.folder / f"{job.number}.ran"
            with mark.open("a") as file:
                file.write("x")
            if job.number in self.deadly and mark.stat().st_size < 2:
                os.kill(os.getpid(), signal.SIGKILL)
        if job.number in self.failing:
            raise ValueError("as planned")
        value = error(self.space.weights(job.point))
        return [value / sigma for sigma in SIGMAS.values()]


def conflict(job, report):
    """Two tasks that want opposite things: with share p of the second's weight, errors p² and (1 - p)²."""
    log = float(job.point["log(b/a)"])
    p = 1 / (1 + math.exp(-log))
    return [p**2, (1 - p) ** 2]


def direct(work, items, jobs):
    """``run_jobs`` in this process, one after another; takes the next item only when the last is done."""
    from equipoise.lab.studies import Event

    for item in items:
        assert item is not None, "alone, nothing ever has to wait"
        yield Event("started", item)
        yield Event("finished", item, (work(item, lambda *details: None),))
