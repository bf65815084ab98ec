"""MeanNorm: let every task's gradient be as long as their mean, by weights that follow slowly.

The gradient-norm weighting of Wang et al., An Expert's Guide to Training Physics-Informed Neural Networks, 2023
(arXiv 2308.08468), eqs. (2.12)-(2.15), with the mean of the norms, as in its code, for their sum: weights start at 1.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Aggregator


class MeanNorm(Aggregator):
    """weights_k <- beta weights_k + (1 - beta) mean_j |g_j| / |g_k|, from 1, the mean over the tasks present.

    The norms are those of the losses without the users' weights: these multiply the result. A gradient that is
    exactly zero leaves its task's weight as it is.

    Args:
        beta: In [0, 1); 0 makes all lengths equal at once.
    """

    user_weight = "preference"
    weight: Tensor

    def __init__(self, beta: float = 0.9) -> None:
        within("[0, 1)", beta=beta)
        super().__init__()
        self.beta = beta

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("weight", torch.ones(num_tasks, dtype=torch.float64))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        norms, old = gramian.diagonal().sqrt() / self.preferred(tasks), self.weight[tasks]
        ratio = (norms.mean() / norms).where(norms > 0, old)
        self.weight[tasks] = self.beta * old + (1 - self.beta) * ratio
        return self.weight[tasks]
