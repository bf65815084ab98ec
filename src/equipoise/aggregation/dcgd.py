"""DCGD (Center): the total gradient, projected on the angle bisector of two groups of losses.

Hwang & Lim, Dual Cone Gradient Descent for Training Physics-Informed Neural Networks, NeurIPS 2024, eq. (4.3).
"""

import torch
from torch import Tensor

from equipoise.arguments import whole_number
from equipoise.method import Aggregator


class DCGD(Aggregator):
    """d = (g . c) c / |c|^2 = (|a| + |b|) / 2 · c with c = a / |a| + b / |b| and g = a + b, for group gradients a, b.

    The paper and its code have two losses, the residual's and the conditions', each a sum, and no third; so the tasks
    form two groups, and a and b are the sums of the gradients in each. d conflicts with neither. A weight that a user
    gives all tasks of a group changes the length of d only; inside a group weights scale. Where a or b is zero, d is
    the other.

    Args:
        split: How many tasks, from the first, form the first group (the paper's residuals); the others the second.
    """

    user_weight = "scales"

    def __init__(self, split: int = 1) -> None:
        whole_number(1, split=split)
        super().__init__()
        self.split = split

    def bind(self, num_tasks: int) -> None:
        if self.split >= num_tasks > 1:
            raise ValueError(f"split must leave a task for the second group, got {self.split} of {num_tasks} tasks")

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        groups = torch.stack([tasks < self.split, tasks >= self.split]).double()  # [2, K]
        squares = (groups @ gramian * groups).sum(dim=1)  # |a|^2 and |b|^2
        # gradients of a group that cancel leave only rounding, which has no direction
        rounding = len(tasks) * torch.finfo(torch.float64).eps * (groups @ gramian.diagonal().sqrt()).square()
        norms = squares.where(squares > rounding, 0.0).sqrt()
        mean_norm = norms.sum() / (norms > 0).sum().clamp(min=1)
        return torch.where(norms > 0, mean_norm / norms, 1.0) @ groups
