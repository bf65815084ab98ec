"""What the numbers of a table are of."""

from collections.abc import Mapping
from dataclasses import dataclass

REFERENCE = "sum"
SINGLE_TASK = "single-task"

Values = Mapping[str, Mapping[str, Mapping[int, float]]]  # [method][task][seed], finite primary test metrics


@dataclass(frozen=True)
class TaskMetric:
    """The primary metric of a task; ``trivial`` is what a constant prediction reaches."""

    task: str
    name: str
    higher_is_better: bool
    perfect: float
    trivial: float
