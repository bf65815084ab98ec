"""CAGrad: near the mean gradient, the direction that serves the worst-served task best.

Liu et al., Conflict-Averse Gradient Descent for Multi-Task Learning, NeurIPS 2021, algorithm 1.
"""

import torch
from torch import Tensor

from equipoise.aggregation.solvers.ball import best_step, mean_norm
from equipoise.arguments import within
from equipoise.method import Aggregator


class CAGrad(Aggregator):
    """d = g_0 + c |g_0| g_w / |g_w|, g_0 the mean of the g_k, w in the simplex of least g_w . g_0 + c |g_0| |g_w|.

    This d is the one within c |g_0| of g_0 whose least g_k . d is largest. Where g_w is zero that least is zero,
    many d are as good, and it is the one nearest to g_0. As in the paper, g_0 is a mean and d is not divided by
    1 + c^2.

    Args:
        c: Not negative. At 0 the direction is g_0; the larger c, the nearer to MGDA's. For c >= 1 it never conflicts
            with a task.
    """

    def __init__(self, c: float = 0.5) -> None:
        within("[0, inf)", c=c)
        super().__init__()
        self.c = c

    def sum_factor(self, num_tasks: int) -> float:
        """It is 1 + c times the mean where all gradients are equal."""
        return num_tasks / (1 + self.c)

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products = gramian.numpy()
        radius = self.c * mean_norm(products)
        step, gap = best_step(products, products.mean(axis=1), radius)
        self.certify(gap)
        return torch.from_numpy(1 / len(products) + radius * step)
