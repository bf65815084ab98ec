"""GradNorm: learn weights that let a task's gradient be the longer, the slower its loss falls.

Chen et al., GradNorm: Gradient Normalization for Adaptive Loss Balancing in Deep Multitask Networks, ICML 2018,
eqs. (1), (2) and algorithm 1. The paper compares gradients at the last shared layer: ``gramian_from``.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Aggregator

_BETAS = 0.9, 0.999  # Adam's, Kingma & Ba, ICLR 2015


class GradNorm(Aggregator):
    """w <- w - lr Adam(d/dw sum_k |G_k - sg(mean G · r_k^alpha)|), G_k = w_k |g_k|; then scaled to their old sum.

    r_k is loss_k / (its first positive value) over the mean of these ratios. Weights start at 1 and serve a step
    before it changes them; all tasks present, they sum to their number. The paper lets a weight fall below zero,
    where G_k would grow again as its loss is made to rise: here it stops at zero. A ratio below zero counts as zero.

    Args:
        alpha: How strongly training rates are balanced; 0 only makes the norms equal.
        lr: Adam's learning rate for the weights. Its epsilon is left out, so that scales do not matter.
    """

    user_weight = "ignored"
    weight: Tensor
    reference: Tensor
    mean: Tensor
    square: Tensor
    steps: Tensor

    def __init__(self, alpha: float = 1.5, lr: float = 0.025) -> None:
        within("[0, inf]", alpha=alpha)
        within("(0, 1)", lr=lr)
        super().__init__()
        self.alpha = alpha
        self.lr = lr

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("weight", torch.ones(num_tasks, dtype=torch.float64))
        self.register_buffer("reference", torch.zeros(num_tasks, dtype=torch.float64))  # 0 where none was seen
        self.register_buffer("mean", torch.zeros(num_tasks, dtype=torch.float64))
        self.register_buffer("square", torch.zeros(num_tasks, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros(num_tasks, dtype=torch.int64))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        weights, norms = self.weight[tasks], gramian.diagonal().sqrt()
        lengths = weights * norms
        target = lengths.mean() * self._rates(losses, tasks) ** self.alpha
        moved = (weights - self.lr * self._adam(torch.sign(lengths - target) * norms, tasks)).clamp(min=0.0)
        if moved.sum() > 0:
            self.weight[tasks] = moved * (weights.sum() / moved.sum())
        return weights

    def _rates(self, losses: Tensor, tasks: Tensor) -> Tensor:
        """The r_k [K], relative inverse training rates; 1 for all if every loss is zero or below."""
        old = self.reference[tasks]
        self.reference[tasks] = losses.clamp(min=0.0).where(old == 0, old)
        ratios = (losses / self.reference[tasks]).clamp(min=0.0).nan_to_num(nan=1.0, posinf=1.0)
        return (ratios / ratios.mean()).nan_to_num(nan=1.0)

    def _adam(self, slopes: Tensor, tasks: Tensor) -> Tensor:
        """Adam's direction [K], of lengths about one; a task that is absent waits."""
        self.steps[tasks] += 1
        moments = []
        for buffer, beta, value in zip((self.mean, self.square), _BETAS, (slopes, slopes**2), strict=True):
            buffer[tasks] = beta * buffer[tasks] + (1 - beta) * value
            moments.append(buffer[tasks] / (1 - beta ** self.steps[tasks].double()))
        return (moments[0] / moments[1].sqrt()).nan_to_num(nan=0.0)
