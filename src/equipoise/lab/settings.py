"""What a comparison does by default, and how long, how fast and how it trains: the same for every method.

Each field says once what it is, what it may be and what the command line calls its value; the class's docstring, its
checks and the options of ``equipoise compare`` are made of that.
"""

import math
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from types import NoneType
from typing import Any, Literal, TypedDict, get_args

from equipoise.names import nearest

# what a comparison does unless it is told otherwise; the command line has the same
METHODS = ("sum", "uw", "dwa", "pcgrad", "mgda", "nash-mtl")
SEEDS = 5
MINUTES = 5.0  # of a study of which neither methods nor seeds are named
TUNED_TRIALS = 10
JOBS = min(os.cpu_count() or 1, 4)
RUNS = Path("equipoise-runs")  # the folder of studies
MANY_TASKS = 20  # up to so many, each task has its single-task baseline, its tables and figures, and each pair its own
FEW_TASKS = 12  # of more, those that are looked at one by one

ScheduleName = Literal["constant", "linear", "cosine", "step"]
PrecisionName = Literal["fp32", "bf16"]
StartName = Literal["drawn", "labels"]
SAMPLING = {"proportional": 1.0, "sqrt": 2.0, "uniform": math.inf}  # temperatures by name


def a_few(tasks: Sequence[str]) -> list[str]:
    """The tasks that are looked at one by one and in pairs: all, or of more than 20 twelve that are spread evenly.

    >>> a_few(["a", "b", "c"]), len(a_few(list(map(str, range(600)))))
    (['a', 'b', 'c'], 12)
    """
    return spread_evenly(tasks, len(tasks) if len(tasks) <= MANY_TASKS else FEW_TASKS)


def spread_evenly(tasks: Sequence[str], count: int) -> list[str]:
    """So many of the tasks, the first and the last among them.

    >>> spread_evenly("abcdefg", 3), spread_evenly("abc", 3), spread_evenly("abc", 1)
    (['a', 'd', 'g'], ['a', 'b', 'c'], ['a'])
    """
    return [tasks[round(place * (len(tasks) - 1) / max(1, count - 1))] for place in range(count)]


Limit = tuple[str, Callable[[Any], bool]]  # what a value must be, in words and as a test
COUNT: Limit = ("at least 1", lambda count: count >= 1)
FROM_0: Limit = ("0 or more and finite", lambda value: 0 <= value < math.inf)
POSITIVE: Limit = ("positive", lambda value: value > 0)
FINITE: Limit = ("positive and finite", lambda value: 0 < value < math.inf)
SHARE: Limit = ("0 or more and below 1", lambda value: 0 <= value < 1)


def _setting(
    what: str,
    metavar: str,
    limit: Limit | None = None,
    default: Any = MISSING,
    names: Mapping[str, float] = {},
    words: Sequence[str] = (),
) -> Any:
    """A field: what it is, the placeholder of its value, what that may be, values that have a name, all its words."""
    about = {"help": what, "metavar": metavar, "limit": limit, "named": names, "words": words}
    return field(default=default, metadata=about)


@dataclass(frozen=True, repr=False)
class Settings:
    """The budget of a run, and its options."""

    epochs: int = _setting("maximum number of passes over the training split", "N", COUNT)
    batch_size: int = _setting("samples per step, of all processes together", "N", COUNT)
    learning_rate: float = _setting("peak learning rate of AdamW", "X", FINITE)
    weight_decay: float = _setting(
        "weight decay of AdamW on the network's parameters; follows the learning rate's schedule", "X", FROM_0
    )
    clip_norm: float | None = _setting("maximum norm of the balanced gradient; default none", "X", POSITIVE)
    patience: int = _setting("stop a run after so many epochs without improvement", "EPOCHS", COUNT)
    schedule: str = _setting(
        "schedule of the learning rate: constant, linear, cosine or step; default the case's",
        "NAME",
        default="constant",
        words=get_args(ScheduleName),
    )
    warmup: int = _setting("steps in which the learning rate rises from 0; default 0", "STEPS", FROM_0, 0)
    weight_decay_end: float | None = _setting(
        "final weight decay, reached along half a cosine; default the first", "X", FROM_0, None
    )
    clip_value: float | None = _setting(
        "maximum entry of the balanced gradient, before --clip-norm; default none",
        "X",
        POSITIVE,
        None,
    )
    average: float | None = _setting(
        "evaluate and keep a moving average of the weights, w <- X w + (1 - X) theta after each step, such as 0.99; 0: "
        "the weights themselves; default the case's",
        "X",
        SHARE,
        None,
    )
    micro_batches: int = _setting("number of micro-batches of a step, balanced as one batch; default 1", "N", COUNT, 1)
    precision: str = _setting(
        "fp32 or bf16 (the network under autocast, all else in float32); default fp32",
        "NAME",
        default="fp32",
        words=get_args(PrecisionName),
    )
    task_patience: int | None = _setting(
        "leave a task out after so many epochs without improvement, and keep the weights of its best epoch; default "
        "never",
        "EPOCHS",
        COUNT,
        None,
    )
    select: str = _setting(
        "criterion of the best epoch: skill (the tasks' mean), TASK, TASK/METRIC or TASK/loss; default skill",
        "WHAT",
        None,
        "skill",
    )
    keep: tuple[str, ...] = _setting(
        "further criteria whose best weights are kept in the run's folder", "A,B,…", None, ()
    )
    start: str = _setting(
        "initialisation of heads: drawn, or labels (from the labels' frequencies); default the case's",
        "NAME",
        default="drawn",
        words=get_args(StartName),
    )
    temperature: float | None = _setting(
        "sampling temperature of several sources: proportional, sqrt, uniform or a number; default "
        "every sample once per epoch",
        "T",
        POSITIVE,
        None,
        SAMPLING,
    )
    l1: float = _setting(
        "weight of sum |w| over the network's weights, without biases and normalisation, added after balancing; "
        "default 0",
        "X",
        FROM_0,
        0.0,
    )
    l2: float = _setting(
        "weight of sum w² / 2 over the same; in the gradient, unlike weight decay; default 0", "X", FROM_0, 0.0
    )

    def __post_init__(self) -> None:
        for option in fields(self):
            value, limit, words = getattr(self, option.name), option.metadata["limit"], option.metadata["words"]
            if words and value not in words:
                raise ValueError(f"no {option.name} {value!r}; {nearest(str(value), words)}")
            may_be_none = NoneType in get_args(option.type)
            if limit is not None and not (value is None and may_be_none) and not limit[1](value):
                allowed = f"{limit[0]}{' or None' if may_be_none else ''}"
                raise ValueError(f"{option.name} must be {allowed}, got {value!r}")
        if self.micro_batches > self.batch_size:
            raise ValueError(f"micro_batches must be at most batch_size, {self.batch_size}, got {self.micro_batches!r}")
        object.__setattr__(self, "keep", tuple(self.keep))

    @property
    def described(self) -> Mapping[str, Any]:
        """The budget, and the options that are not left at their default: what two runs must agree in."""
        options = fields(self)[_BUDGET:]
        names = [field.name for field in fields(self)[:_BUDGET]]
        names += [option.name for option in options if getattr(self, option.name) != option.default]
        values = {name: getattr(self, name) for name in names}
        return {
            name: list(value) if isinstance(value, Sequence) and name == "keep" else value
            for name, value in values.items()
        }

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.described.items())})"


_BUDGET = 6  # fields that every run has said


class TrainingOptions(TypedDict, total=False):
    """The fields of ``Settings`` but the epochs, as keywords: type checkers and editors read them here.

    None for one without a default is the case's own value.
    """

    batch_size: int | None
    learning_rate: float | None
    weight_decay: float | None
    clip_norm: float | None
    patience: int | None
    schedule: ScheduleName | str
    warmup: int
    weight_decay_end: float | None
    clip_value: float | None
    average: float | None
    micro_batches: int
    precision: PrecisionName | str
    task_patience: int | None
    select: str
    keep: tuple[str, ...]
    start: StartName | str
    temperature: float | None
    l1: float
    l2: float


def _docstring() -> str:
    help_of = {one.name: one.metadata["help"] for one in fields(Settings)}
    lines = [
        textwrap.fill(f"{name}: {what[0].upper()}{what[1:]}.", 110, initial_indent=" " * 8, subsequent_indent=" " * 12)
        for name, what in help_of.items()
    ]
    raises = "    Raises:\n        ValueError: If one is out of its range."
    return "\n".join([f"{Settings.__doc__}\n\n    Args:", *lines, "", raises])


Settings.__doc__ = _docstring()
