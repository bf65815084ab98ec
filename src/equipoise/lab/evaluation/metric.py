"""What the numbers of a table are of."""

from collections.abc import Mapping
from dataclasses import dataclass

REFERENCE = "sum"
SINGLE_TASK = "single-task"
TUNED = "tuned"  # fixed weights, searched on validation
FROZEN = "frozen-"  # before a method's name: fixed at the weights that it ended with, from the start

Values = Mapping[str, Mapping[str, Mapping[int, float]]]  # [method][task][seed], finite primary test metrics


def source_of(method: str) -> str | None:
    """The method whose last weights a frozen one has; None for any other.

    >>> source_of("frozen-uw"), source_of("uw")
    ('uw', None)
    """
    return method.removeprefix(FROZEN) if method.startswith(FROZEN) else None


@dataclass(frozen=True)
class TaskMetric:
    """The primary metric of a task; ``trivial`` is what a constant prediction reaches."""

    task: str
    name: str
    higher_is_better: bool
    perfect: float
    trivial: float
