"""SLAW: the spread of a loss between steps stands in for the norm of its gradient.

Crawshaw & Košecká, SLAW: Scaled Loss Approximate Weighting for Efficient Multi-Task Learning,
arXiv:2109.08218, 2021, section 3.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting


class SLAW(Weighting):
    """weight_k = K (1 / d_k) / sum_i (1 / d_i), d_k the standard deviation of loss_k under running means.

    mean <- beta mean + (1 - beta) loss; the variance has the same memory. The losses are those without the users'
    weights, which scale the result. K counts the tasks of a step whose deviation is known and not zero; any other has
    weight 1. A loss that is not finite is not counted.

    Args:
        beta: In (0, 1).
    """

    user_weight = "preference"

    def __init__(self, beta: float = 0.99) -> None:
        super().__init__()
        within("(0, 1)", beta=beta)
        self.beta = beta

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("mean", torch.full((num_tasks,), torch.nan))
        self.register_buffer("deviation", torch.zeros(num_tasks))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values = (losses.detach() / self.preferred(tasks).to(losses.device)).to(self.mean)
        mean, old, finite = self.mean[tasks], self.deviation[tasks], values.isfinite()
        step = (values - mean).nan_to_num(0.0, 0.0, 0.0)  # 0 where this loss is the first
        mean = (mean + (1 - self.beta) * step).where(mean.isfinite(), values)
        # variance <- beta (variance + (1 - beta) step^2), without squares that under- or overflow
        deviation = self.beta**0.5 * torch.hypot(old, (1 - self.beta) ** 0.5 * step)
        deviation = deviation.where(finite, old)
        self.mean[tasks] = mean
        self.deviation[tasks] = deviation
        known = deviation > 0
        inverse = (deviation.amax() / deviation).where(known, 0.0)
        return torch.sum((known.sum() * inverse / inverse.sum()).where(known, 1.0) * losses)
