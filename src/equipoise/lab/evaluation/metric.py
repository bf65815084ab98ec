"""What the numbers of a table are of."""

from collections.abc import Mapping
from dataclasses import dataclass

from equipoise.lab import arms

REFERENCE, SINGLE_TASK, TUNED = str(arms.SUM), str(arms.SINGLE_TASK), str(arms.TUNED)

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
