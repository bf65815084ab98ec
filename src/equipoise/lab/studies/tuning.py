"""Within a study: the search for the fixed weights of its arm ``tuned``."""

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import Any

from equipoise.lab.files import file_hash
from equipoise.lab.search.choice import choose
from equipoise.lab.search.search import Search
from equipoise.lab.search.space import Space
from equipoise.lab.search.strategies import Random
from equipoise.lab.search.tables import write_trials
from equipoise.lab.search.training import CaseTraining, objectives
from equipoise.lab.search.trial import Job
from equipoise.lab.studies.plan import Plan
from equipoise.lab.training.workers import Event, Execute

SPAN = 10.0  # the largest ratio of a weight to the first task's: a small search looks nearby


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
