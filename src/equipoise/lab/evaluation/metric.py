"""What the numbers of a table are of."""

from collections.abc import Mapping
from dataclasses import dataclass

from equipoise.lab import arms

REFERENCE, SINGLE_TASK, TUNED = str(arms.SUM), str(arms.SINGLE_TASK), str(arms.TUNED)


@dataclass(frozen=True)
class Baselines:
    """The methods that all others are compared with, by their names in the results."""

    reference: str = REFERENCE
    single_task: str = SINGLE_TASK

    @property
    def spoken(self) -> str:
        """The reference in a sentence."""
        return "the plain sum" if self.reference == REFERENCE else self.reference

    @property
    def brief(self) -> str:
        """The same in at most three words."""
        return self.spoken if len(self.spoken.split()) <= 3 else "the reference"


BASELINES = Baselines()


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
