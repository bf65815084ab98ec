"""How long and how fast to train: the same for every method."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The budget of a run.

    Args:
        epochs: At most this many passes over the training split.
        batch_size: Samples per step.
        learning_rate: Of AdamW.
        weight_decay: Of AdamW, on the network's parameters; what a method or a loss learns has none.
        clip_norm: Longest gradient that the optimiser sees, measured after balancing; None: any length.
        patience: Stop after this many epochs in a row without a better one.

    Raises:
        ValueError: If an argument is out of its range.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    clip_norm: float | None
    patience: int

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate must be positive and finite, got {self.learning_rate!r}")
        if not 0 <= self.weight_decay < math.inf:
            raise ValueError(f"weight_decay must be 0 or more and finite, got {self.weight_decay!r}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be positive or None, got {self.clip_norm!r}")
