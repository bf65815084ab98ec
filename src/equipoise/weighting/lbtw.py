"""LBTW: a task counts as much as it still has to learn in this epoch.

Liu, Liang, Gitter, Loss-Balanced Task Weighting to Reduce Negative Transfer in Multi-Task Learning, AAAI 2019,
algorithm 1.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting
from equipoise.weighting.signs import non_negative


class LBTW(Weighting):
    """weight_k = (loss_k / start_k)^alpha, start_k the task's first loss of the epoch.

    Call ``balancer.end_epoch()`` after each; without it, the start is that of the training. The weights are not
    normalised. Losses must not be negative; the ratio to a start of zero is 1.

    Args:
        alpha: Not negative; 0 makes the weights 1.
    """

    def __init__(self, alpha: float = 0.5) -> None:
        super().__init__()
        within("[0, inf]", alpha=alpha)
        self.alpha = alpha

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("start", torch.full((num_tasks,), torch.nan))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values = non_negative(losses.detach(), tasks, self).to(self.start)
        start = self.start[tasks]
        start = start.where(start.isfinite(), values)
        self.start[tasks] = start
        ratios = (values / start).where(start > 0, 1.0)
        return torch.sum(ratios**self.alpha * losses)

    def end_epoch(self) -> None:
        self.start.fill_(torch.nan)
