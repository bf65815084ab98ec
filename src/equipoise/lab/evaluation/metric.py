"""What the numbers of a table are of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

REFERENCE = "sum"
SINGLE_TASK = "single-task"
TUNED = "tuned"  # fixed weights, searched on validation
FROZEN = "frozen-"  # before a method's name: fixed at the weights that it ended with, from the start


@dataclass(frozen=True)
class Baselines:
    """The methods that all others are compared with, by their names in the results."""

    reference: str = REFERENCE
    single_task: str = SINGLE_TASK

    @property
    def spoken(self) -> str:
        """The reference in a sentence."""
        return "the plain sum" if self.reference == REFERENCE else self.reference


BASELINES = Baselines()


Values = Mapping[str, Mapping[str, Mapping[int, float]]]  # [method][task][seed], finite primary test metrics


def source_of(method: str) -> str | None:
    """The method whose last weights a frozen one has; None for any other, also for losses of a task "frozen-...".

    >>> source_of("frozen-uw"), source_of("uw"), source_of("frozen-food=huber")
    ('uw', None, None)
    """
    return method.removeprefix(FROZEN) if method.startswith(FROZEN) and not losses_of(method) else None


_MADE_WITH = r"(?::\w+=[\w.-]+)*"
_CHOSEN = re.compile(  # of a file, the task has no slash: the file of a method may be in a folder with =
    rf"(?:(?P<task_of_file>[^/\\=+]+)=(?P<file>[^=+]+\.py:\w+{_MADE_WITH})"
    rf"|(?P<task>.+?)=(?P<loss>[A-Za-z0-9_-]+{_MADE_WITH}))(?:\+|$)"
)


def losses_of(method: str) -> dict[str, str]:
    """The losses, by task, of a method that is the plain sum with these in place of the case's; else none.

    >>> losses_of("mask=dice+stress=focal:gamma=1.5"), losses_of("uw"), losses_of("runs/lr=1/own.py:Method")
    ({'mask': 'dice', 'stress': 'focal:gamma=1.5'}, {}, {})
    >>> losses_of("mask=mine/own.py:Loss:gamma=2")
    {'mask': 'mine/own.py:Loss:gamma=2'}
    """
    found = list(_CHOSEN.finditer(method))
    if method.endswith("+") or "".join(match[0] for match in found) != method:
        return {}
    return {match["task"] or match["task_of_file"]: match["loss"] or match["file"] for match in found}


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
