"""The verdict of a study as values: what was compared, by how much it differs, what is decided."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from equipoise.lab.evaluation.advice import Advice
from equipoise.lab.evaluation.metric import REFERENCE
from equipoise.lab.evaluation.precision import seeds_needed
from equipoise.lab.evaluation.statistics import Verdict
from equipoise.lab.evaluation.summary import Summary


@dataclass(frozen=True)
class Decision:
    """One comparison: ``method`` minus ``other`` in a task's metric, paired by seed.

    Args:
        method: Whose values these are.
        other: With which it is compared.
        task: On which.
        metric: In which.
        higher_is_better: Its direction.
        estimate: Mean difference over the seeds, in the metric's unit.
        low: Lower end of its 95 % interval by Student's t; NaN where there is none.
        high: Upper end.
        p_value: Two-sided, of mean difference = 0, alone; NaN where nothing was tested.
        p_adjusted: Holm's, over all comparisons of the study; in units in which 5 % is the bound. Of more than 20 tasks
            over those of their means, and for a task by Benjamini and Hochberg where its mean differs.
        seeds: Pairs.
        decision: "better", "worse", "no significant difference", or "no verdict" where too many runs are missing.
        seeds_needed: With so many in all, 8 of 10 studies would show a difference of this size. None where it is
            decided already, pairs are fewer than 3, or 1,000 are not enough.
        inspect: Which seeds to look at before relying on it; empty where none stands out.
    """

    method: str
    other: str
    task: str
    metric: str
    higher_is_better: bool
    estimate: float
    low: float
    high: float
    p_value: float
    p_adjusted: float
    seeds: int
    decision: Verdict
    seeds_needed: int | None
    inspect: str = ""


@dataclass(frozen=True)
class Judgement:
    """A study's verdict: one sentence, what to do next, every comparison behind it, and what else was found.

    ``cautions`` are to be read before any comparison, such as that runs were still improving.

    ``str(advice)`` is a sentence as well; its fields say the same to a program.
    """

    headline: str
    advice: Advice
    decisions: tuple[Decision, ...]
    reference: str = REFERENCE
    details: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join((*self.cautions, self.headline, str(self.advice)))

    def of(self, method: str, task: str, other: str | None = None) -> Decision:
        """The decision on a method and a task; ``other`` is the reference if none is given.

        Raises:
            KeyError: They were not compared.
        """
        other = self.reference if other is None else other
        for one in self.decisions:
            if (one.method, one.task, one.other) == (method, task, other):
                return one
        made = ", ".join(f"{one.method} to {one.other} on {one.task}" for one in self.decisions) or "nothing"
        raise KeyError(f"{method} was not compared with {other} on {task}; compared were {made}")

    @property
    def seeds_still_needed(self) -> dict[tuple[str, str], int]:
        """By method and task, how many more seeds would show an open difference to the reference, the fewest first.

        In 8 of 10 studies, if the difference is the true one; those that 1,000 seeds would not show are not there.
        """
        more = {
            (one.method, one.task): one.seeds_needed - one.seeds
            for one in self.decisions
            if one.other == self.reference and one.seeds_needed is not None
        }
        return dict(sorted(more.items(), key=lambda pair: pair[1]))

    def to_dict(self) -> dict[str, Any]:
        """For JSON: what is NaN is None."""
        return {
            "cautions": list(self.cautions),
            "headline": self.headline,
            "advice": str(self.advice),
            "next": asdict(self.advice),
            "seeds_still_needed": [
                {"method": method, "task": task, "seeds": seeds}
                for (method, task), seeds in self.seeds_still_needed.items()
            ],
            "details": list(self.details),
            "decisions": [
                {
                    key: None if isinstance(cell, float) and math.isnan(cell) else cell
                    for key, cell in asdict(one).items()
                }
                for one in self.decisions
            ],
        }


def judgement_of(summary: Summary) -> Judgement:
    """The verdict behind a summary's table."""
    metrics = {metric.task: metric for metric in (*summary.shown, *summary.metrics)}
    decisions = tuple(
        Decision(
            method=row.method,
            other=other,
            task=task,
            metric=metrics[task].name,
            higher_is_better=metrics[task].higher_is_better,
            estimate=one.interval.mean,
            low=one.interval.low,
            high=one.interval.high,
            p_value=one.interval.p_value,
            p_adjusted=one.p_adjusted,
            seeds=one.interval.n,
            decision=one.verdict,
            seeds_needed=seeds_needed(one, summary) if task in row.primary else None,
            inspect=one.check.words if one.check else "",
        )
        for row in summary.rows
        for task, score in {**row.means, **row.scores}.items()
        for other, one in score.to.items()
    )
    return Judgement(
        summary.headline,
        summary.advice,
        decisions,
        summary.baselines.reference,
        summary.details,
        summary.cautions,
    )
