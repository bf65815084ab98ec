"""What the numbers of a table are of."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

REFERENCE = "sum"
SINGLE_TASK = "single-task"
TUNED = "tuned"  # fixed weights, searched on validation
FROZEN = "frozen-"  # before a method's name: fixed at the weights that it ended with, from the start

Values = Mapping[str, Mapping[str, Mapping[int, float]]]  # [method][task][seed], finite primary test metrics


def source_of(method: str) -> str | None:
    """The method whose last weights a frozen one has; None for any other, also for losses of a task "frozen-...".

    >>> source_of("frozen-uw"), source_of("uw"), source_of("frozen-food=huber")
    ('uw', None, None)
    """
    return method.removeprefix(FROZEN) if method.startswith(FROZEN) and not losses_of(method) else None


_LOSS = r"[A-Za-z0-9-]+(?::\w+=[\w.-]+)*"  # a loss by name, and what it is made with
_CHOSEN = re.compile(rf"(.+?)=({_LOSS})(?:\+|$)")


def losses_of(method: str) -> dict[str, str]:
    """The losses, by task, of a method that is the plain sum with these in place of the case's; else none.

    >>> losses_of("mask=dice+stress=focal:gamma=1.5"), losses_of("uw"), losses_of("my=own.py:Method")
    ({'mask': 'dice', 'stress': 'focal:gamma=1.5'}, {}, {})
    """
    found = list(_CHOSEN.finditer(method))
    if method.endswith("+") or "".join(match[0] for match in found) != method:
        return {}
    return {match[1]: match[2] for match in found}


@dataclass(frozen=True)
class TaskMetric:
    """The primary metric of a task; ``trivial`` is what a constant prediction reaches."""

    task: str
    name: str
    higher_is_better: bool
    perfect: float
    trivial: float
