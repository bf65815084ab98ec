"""How long, how fast and how to train: the same for every method."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from equipoise.lab.training.schedule import SCHEDULES

PRECISIONS = ("fp32", "bf16")
STARTS = ("drawn", "labels")


@dataclass(frozen=True, repr=False)
class Settings:
    """The budget of a run, and its options.

    Args:
        epochs: At most this many passes over the training split.
        batch_size: Samples per step, of all processes together.
        learning_rate: Of AdamW, at its highest.
        weight_decay: Of AdamW, on the network's parameters; what a method or a loss learns has none. A step takes
            learning rate times this share of a weight, so it follows the schedule of the learning rate.
        clip_norm: Longest gradient that the optimiser sees, measured after balancing; None: any length.
        patience: Stop after this many epochs in a row without a better one.
        schedule: One of ``SCHEDULES``: how the learning rate goes over all epochs, those that patience spares included.
        warmup: Steps in which the learning rate rises to where the schedule begins.
        weight_decay_end: Where weight decay ends, along half a cosine; None: where it began.
        clip_value: Largest number in the gradient, after balancing and before ``clip_norm``; None: any.
        average: Beta of the exponential moving average of the weights, w <- beta w + (1 - beta) theta after each step.
            Evaluation and what is kept are the average's. 0 to 1, both excluded; None: no average.
        micro_batches: A step's samples go through the network in so many parts, and are balanced as one batch.
        precision: "bf16": the network trains under autocast to bfloat16; losses, parameters and evaluation are float32.
        task_patience: A task stops contributing after this many epochs in a row without a better one of its own; the
            weights of every task's best epoch are kept. None: no task stops.
        select: What makes an epoch the best: "skill", the mean skill of the tasks; a task's name, its primary metric;
            or "TASK/METRIC", also "TASK/loss".
        keep: More such criteria, whose best weights are left in the run's folder.
        start: "labels": the network begins with outputs that fit the labels' frequencies, see ``begin_at_labels``.
        l1: Weight of the penalty sum |w| on the network's weights (``weights_only``: no biases, no normalisation) that
            a step gives a gradient. The penalty's gradient is added after balancing and before clipping.
        l2: The same of sum w² / 2. AdamW divides its gradient by the size of all gradients; weight decay it does not.
        temperature: Of the draws where the training split is a ``ConcatDataset`` of sources, see ``SourceSampler``;
            None: every sample once per epoch.

    Raises:
        ValueError: If an argument is out of its range.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    clip_norm: float | None
    patience: int
    schedule: str = "constant"
    warmup: int = 0
    weight_decay_end: float | None = None
    clip_value: float | None = None
    average: float | None = None
    micro_batches: int = 1
    precision: str = "fp32"
    task_patience: int | None = None
    select: str = "skill"
    keep: tuple[str, ...] = ()
    start: str = "drawn"
    temperature: float | None = None
    l1: float = 0.0
    l2: float = 0.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience", "micro_batches", "task_patience"):
            if (count := getattr(self, name)) is not None and count < 1:
                raise ValueError(f"{name} must be at least 1, got {count!r}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive and finite, got {self.learning_rate!r}")
        if self.warmup < 0:
            raise ValueError(f"warmup must be a number of steps, 0 or more, got {self.warmup!r}")
        for name in ("weight_decay", "weight_decay_end", "l1", "l2"):
            if (decay := getattr(self, name)) is not None and not 0 <= decay < math.inf:
                raise ValueError(f"{name} must be 0 or more and finite, got {decay!r}")
        for name in ("clip_norm", "clip_value", "temperature"):
            if (value := getattr(self, name)) is not None and not value > 0:
                raise ValueError(f"{name} must be positive or None, got {value!r}")
        if self.average is not None and not 0 < self.average < 1:
            raise ValueError(f"average must be between 0 and 1 or None, got {self.average!r}")
        if self.micro_batches > self.batch_size:
            raise ValueError(f"micro_batches must be at most batch_size, {self.batch_size}, got {self.micro_batches!r}")
        for name, known in (("schedule", SCHEDULES), ("precision", PRECISIONS), ("start", STARTS)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
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
