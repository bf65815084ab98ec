"""IGB (v1): favour the task with the most left to improve, relative to an early epoch.

Dai, Fei, Lu, Improvable Gap Balancing for Multi-Task Learning, UAI 2023, section 3.2 (IGBv1, on log losses).
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting
from equipoise.weighting.epoch_mean import EpochMean
from equipoise.weighting.signs import positive


class IGB(Weighting):
    """objective = sum_k p_k w_k log loss_k, w = K softmax(loss / base), base_k the task's mean loss of one early epoch.

    w is held fixed in the gradient, and is 1 until that epoch has ended: call ``balancer.end_epoch()``. The ideal
    loss is taken to be 0. p_k is the user's weight of the task. Every loss must be positive.

    Args:
        base_epoch: The epoch whose mean is the base, counted from 0; infinite: never.
    """

    user_weight = "preference"
    own_norm = "of relative change: gradients over losses"

    def __init__(self, base_epoch: int = 1) -> None:
        super().__init__()
        within("[0, inf]", base_epoch=base_epoch)
        self.base_epoch = base_epoch

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("base", torch.full((num_tasks,), torch.nan))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))
        self.epoch = EpochMean(num_tasks)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        self.epoch.add(losses, tasks)
        gap = (losses.detach() / self.base[tasks]).nan_to_num(nan=1.0)  # a task without a base is where it began
        weights = len(losses) * torch.softmax(gap, dim=0) * self.preferred(tasks).to(losses.device)
        return torch.sum(weights * positive(losses, tasks, self).log())

    def end_epoch(self) -> None:
        mean = self.epoch.take()
        due = (self.epochs >= self.base_epoch) & ~self.base.isfinite()  # later for a task absent in that epoch
        self.base.copy_(mean.where(due, self.base))
        self.epochs += 1
