"""The mean loss of an epoch, for methods that think in epochs."""

import torch
from torch import Tensor, nn


class EpochMean(nn.Module):
    """mean_k = sum of loss_k / its steps since the last call of ``take``; NaN for a task absent throughout.

    A loss that is not finite is left out.
    """

    total: Tensor
    steps: Tensor

    def __init__(self, num_tasks: int) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(num_tasks))
        self.register_buffer("steps", torch.zeros(num_tasks))

    def add(self, losses: Tensor, tasks: Tensor) -> None:
        """Count losses [K] of the given tasks."""
        values = losses.detach().to(self.total)
        finite = values.isfinite()
        self.total[tasks] += values.where(finite, 0.0)
        self.steps[tasks] += finite.to(self.steps)

    def take(self) -> Tensor:
        """The mean [num_tasks] of all tasks; counting begins anew."""
        mean = self.total / self.steps
        self.total.zero_()
        self.steps.zero_()
        return mean
