"""ReLoBRaLo: relative progress since the last step and, smoothed, since a random look back to the start.

Bischof & Kraus, Multi-Objective Loss Balancing for Physics-Informed Deep Learning, arXiv:2110.09813, 2021
(CMAME 2025), section III.
"""

import random

import torch
from torch import Tensor

from equipoise.arguments import whole_number, within
from equipoise.method import Weighting
from equipoise.weighting.clock import Clock
from equipoise.weighting.signs import non_negative


class ReLoBRaLo(Weighting):
    """weight(t) = alpha (rho weight(t-1) + (1 - rho) b(t, 0)) + (1 - alpha) b(t, t-1), rho 1 with probability beta.

    b_k(t, t') = K softmax_k(loss_k(t) / (temperature loss_k(t'))), K the tasks of the step; 0 and t - 1 are a task's
    first and last steps. Losses must not be negative; a ratio to a loss of zero counts as 1. The draws follow from
    ``seed`` and the number of the step.

    Args:
        alpha: In [0, 1], how much of the past stays. beta: In [0, 1], how seldom the start is looked back at.
        temperature: Positive; a large one makes the weights equal.
        seed: Not negative.
    """

    def __init__(self, alpha: float = 0.999, beta: float = 0.99, temperature: float = 1.0, seed: int = 0) -> None:
        super().__init__()
        within("[0, 1]", alpha=alpha, beta=beta)
        within("(0, inf]", temperature=temperature)
        whole_number(0, seed=seed)
        self.alpha, self.beta = alpha, beta
        self.temperature = temperature
        self.seed = seed
        self.clock = Clock()

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("weights", torch.ones(num_tasks))
        self.register_buffer("first", torch.full((num_tasks,), torch.nan))
        self.register_buffer("last", torch.full((num_tasks,), torch.nan))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values = non_negative(losses.detach(), tasks, self).to(self.last)
        first, last = self.first[tasks], self.last[tasks]
        if random.Random(self.seed << 64 | self.clock.tick()).random() < self.beta:
            past = self.weights[tasks]
        else:
            past = self._balance(values, first)
        weights = torch.lerp(self._balance(values, last), past, self.alpha)
        self.weights[tasks] = weights
        self.first[tasks] = first.where(first.isfinite(), values)
        self.last[tasks] = values.where(values.isfinite(), last)
        return torch.sum(weights * losses)

    def _balance(self, values: Tensor, earlier: Tensor) -> Tensor:
        ratios = (values / earlier).nan_to_num(1.0, 1.0, 1.0)
        return len(values) * torch.softmax(ratios / self.temperature, dim=0)
