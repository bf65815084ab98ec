"""Methods that a study learns itself: fixed weights by a search of its own, or from the end of another run."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import equipoise as eq
from equipoise.lab.arms import TUNED, StudyArm
from equipoise.lab.files import file_hash, read_json, write_json
from equipoise.lab.search.choice import choose
from equipoise.lab.search.search import Search
from equipoise.lab.search.space import Space
from equipoise.lab.search.strategies import Random
from equipoise.lab.search.tables import write_trials
from equipoise.lab.search.training import CaseTraining, objectives
from equipoise.lab.search.trial import Job
from equipoise.lab.studies.plan import Plan
from equipoise.lab.training import RunResult
from equipoise.lab.training.workers import Event, Execute

FILE = "tuned.json"
SPAN = 10.0  # the largest ratio of a weight to the first task's: a small search looks nearby


def write_tuned(folder: Path, about: Mapping[str, Any]) -> None:
    """Keep what a search found in a study's folder: ``weights`` by task, or the ``reason`` for none, trials, seed."""
    write_json(folder / FILE, about)


def read_tuned(folder: Path) -> dict[str, Any] | None:
    """What ``write_tuned`` kept; None before."""
    path = folder / FILE
    return read_json(path) if path.is_file() else None


def derived_method(
    arm: StudyArm, tasks: eq.Tasks, names: Sequence[str], folder: Path, source: Path | None
) -> eq.Method:
    """Fixed weights, tuned or frozen.

    Args:
        arm: Whose.
        tasks: Of the case, whose own weights multiply the method's.
        names: Those that are trained.
        folder: Of the study.
        source: For a frozen one: the result of the run whose last weights it takes.

    Raises:
        ValueError: If the search or the run found no weights.
    """
    if source is None:
        weights = _tuned(folder)
    else:
        effective = _last(source, arm)
        weights = {name: weight / tasks[name].weight for name, weight in effective.items()}
    return eq.Fixed({name: weights[name] for name in names})


def _tuned(folder: Path) -> dict[str, float]:
    about = read_tuned(folder)
    if about is None or "weights" not in about:
        raise ValueError(f"no {TUNED} weights: {(about or {}).get('reason', 'the search has not ended')}")
    weights: dict[str, float] = about["weights"]
    return weights


def _last(source: Path, arm: StudyArm) -> dict[str, float]:
    """Each task's mean weight in the last epoch in which it took part."""
    if not source.is_file():
        raise ValueError(f"no weights of {arm.source} to freeze: its run has not ended well")
    result = RunResult.read(source)
    return {
        task: value  # of the later of two epochs
        for _, split, task, quantity, value in result.history
        if (split, quantity) == ("train", "weight")
    }


class WeightSearch:
    """Equal weights and random ones, each trained once with the study's first seed and settings.

    A trial is judged on validation, by Δm against equal weights, so each of them may win. Trials do not depend on each
    other: they run in any order and number at a time, and a search that was killed ends as one that was left alone.

    Args:
        plan: Of the study.
        folder: Of the search.

    Raises:
        ValueError: If the folder holds a search with another number of trials.
    """

    def __init__(self, plan: Plan, folder: Path) -> None:
        space, seed = Space(tuple(plan.case.tasks.names), span=SPAN), plan.seeds[0]
        strategy = Random(space, plan.tuned_trials, seed, concentration=None)
        self.search = Search(strategy, objectives(plan.case), folder, name="tuned", identity=plan.identity_hash)
        self._plan = plan

    def run(self, threads: int, jobs: int, execute: Execute[Job]) -> Generator[Event[Job], None, None]:
        """Do what is missing, ``jobs`` at a time, each with so many threads."""
        if not self.search.complete:
            plan, search = self._plan, self.search
            space, seed = search.strategy.space, plan.seeds[0]
            evaluate = CaseTraining(plan.recipe, "fixed", space, plan.settings, seed, search.folder, threads)
            with closing(search.run(evaluate, jobs, execute)) as events:
                yield from events

    def answer(self) -> dict[str, Any]:
        """What ``write_tuned`` keeps: the best weights, or the reason for none."""
        trials, asked = self.search.trials, self._plan.tuned_trials
        ended = sum(trial.values is not None for trial in trials.values())
        about: dict[str, Any] = {"trials": asked, "ended": ended, "seed": self._plan.seeds[0]}
        if not self.search.complete:  # weights now might be others than those of the whole search
            why = "".join(f"; trial {number}: {reason}" for number, reason in self.search.unfinished.items())
            reason = f"{len(trials)} of {asked} trials are finished{why}; the same command tries the others again"
            return {**about, "reason": reason}
        try:
            number = choose(self.search.whole, self.search.baseline, self.search.objectives)
        except ValueError as error:  # no trial ended well, or Δm means nothing for these metrics
            return {**about, "reason": str(error)}
        about["table"] = file_hash(write_trials(self.search))
        weights = self.search.strategy.space.weights(self.search.trials[number].job.point)
        return {**about, "trial": number, "delta_m": self.search.changes[number], "weights": weights}
