"""DCGD (Center): the total gradient, projected on the angle bisector of two groups of losses.

Hwang & Lim, Dual Cone Gradient Descent for Training Physics-Informed Neural Networks, NeurIPS 2024, eq. (4.3).
"""

import torch
from torch import Tensor

from equipoise.method import Aggregator


class DCGD(Aggregator):
    """d = (g . c) c / |c|^2 = (|a| + |b|) / 2 · c with c = a / |a| + b / |b| and g = a + b, for group gradients a, b.

    The paper and its code know two losses, the residual's and the conditions', each a sum; it is defined for no
    third, so the tasks are taken in two groups. d has no negative product with a or b. Between the groups a user's
    weight changes the length of d only; inside a group it scales. Where one group's gradient is zero, d is the other.

    Args:
        split: The first so many tasks are one group (the paper's residuals), the others the other.
    """

    user_weight = "scales"

    def __init__(self, split: int = 1) -> None:
        if split < 1:
            raise ValueError(f"split must be at least 1, the number of tasks in the first group, got {split}")
        super().__init__()
        self.split = split

    def bind(self, num_tasks: int) -> None:
        if self.split >= num_tasks > 1:
            raise ValueError(f"split must leave a task for the second group, got {self.split} of {num_tasks} tasks")

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        groups = torch.stack([tasks < self.split, tasks >= self.split]).double()  # [2, K]
        squares = (groups @ gramian * groups).sum(dim=1)
        rounding = len(tasks) * torch.finfo(torch.float64).eps * (groups @ gramian.diagonal().sqrt()).square()
        norms = squares.where(squares > rounding, 0.0).sqrt()
        mean = norms.sum() / (norms > 0).sum().clamp(min=1)
        return torch.where(norms > 0, mean / norms, 1.0) @ groups
