"""The number of the step, for methods whose weights are a function of it."""

import torch
from torch import Tensor

from equipoise.placement import StaysOnCPU


class Clock(StaysOnCPU):
    """Counts on the CPU, wherever the method's other state is."""

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
