"""The number of the step, for methods whose weights are a function of it."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Clock(nn.Module):
    """Counts on the CPU, wherever the method's other state is: to read it never waits for a device."""

    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64, device="cpu"))

    def now(self) -> int:
        """The steps that have ended."""
        return int(self.steps)

    def tick(self) -> int:
        """The steps that have ended; another one ends with this call."""
        now = self.now()
        self.steps += 1
        return now

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> "Clock":  # .to(), .cuda(), .half()
        return self
