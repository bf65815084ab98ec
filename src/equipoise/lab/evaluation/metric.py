"""What the numbers of a table are of, and which methods are compared: one family of comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from equipoise.lab import arms
from equipoise.lab.arms import StudyArm, parse_arm

REFERENCE, SINGLE_TASK, TUNED = str(arms.SUM), str(arms.SINGLE_TASK), str(arms.TUNED)


@dataclass(frozen=True)
class Baselines:
    """The methods that all others are compared with, by their names in the results.

    ``tasks`` are those that have single-task networks; None: all.
    """

    reference: str = REFERENCE
    single_task: str = SINGLE_TASK
    tasks: tuple[str, ...] | None = None

    def has(self, task: str) -> bool:
        """Whether a task was to have a single-task network."""
        return self.tasks is None or task in self.tasks

    @property
    def spoken(self) -> str:
        """The reference in a sentence."""
        return "the plain sum" if self.reference == REFERENCE else self.reference

    @property
    def brief(self) -> str:
        """The same in at most three words."""
        return self.spoken if len(self.spoken.split()) <= 3 else "the reference"


BASELINES = Baselines()

Question = Literal["", "sharing", "tuned", "freeze", "losses"]  # "" is a study that asks everything
Values = Mapping[str, Mapping[str, Mapping[int, float]]]  # [method][task][seed], finite primary test metrics


@dataclass(frozen=True)
class TaskMetric:
    """The primary metric of a task; ``trivial`` is what a constant prediction reaches.

    Where ``perfect`` and ``trivial`` are not known they are equal, and nothing is measured between them.
    """

    task: str
    name: str
    higher_is_better: bool
    perfect: float = 0.0
    trivial: float = 0.0


def pairs_of(
    compared: Sequence[StudyArm], question: Question = "", baselines: Baselines = BASELINES
) -> list[tuple[StudyArm, StudyArm]]:
    """(arm, the other) of a study; a study with one question makes its comparisons and no others.

    >>> pairs = pairs_of([*map(parse_arm, ("single-task", "sum", "uw", "tuned"))], "tuned")
    >>> [f"{arm} to {other}" for arm, other in pairs]
    ['sum to tuned', 'uw to tuned']
    """
    reference, alone = parse_arm(baselines.reference), parse_arm(baselines.single_task)
    trained = [arm for arm in compared if arm != alone]
    to_tuned: list[tuple[StudyArm, StudyArm]] = [
        (arm, arms.TUNED) for arm in trained if arm != arms.TUNED and arms.TUNED in compared
    ]
    to_source = [(arm, arm.source) for arm in compared if arm.source is not None and arm.source in compared]
    if question == "sharing":
        return [(reference, alone)]
    if question == "tuned":
        return to_tuned
    if question == "freeze":
        return to_source
    if question == "losses":
        return [(arm, reference) for arm in compared if arm.losses]
    return [
        *((arm, reference) for arm in trained if arm != reference),
        *((arm, alone) for arm in trained),
        *(pair for pair in to_tuned if pair[0] != reference),  # tuned to sum is there already
        *to_source,
    ]
