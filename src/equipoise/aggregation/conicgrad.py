"""ConicGrad: in a cone around the mean gradient, the direction that serves the worst-served task best.

Hassanpour et al., Fantastic Multi-Task Gradient Updates and How to Find Them in a Cone, 2025. The paper takes steps
towards the weights; here the problem is solved.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.solvers.ball import best_step, mean_norm
from equipoise.aggregation.solvers.min_norm import EPSILON, min_norm
from equipoise.arguments import within
from equipoise.method import Aggregator


class ConicGrad(Aggregator):
    """d = argmax min_k g_k . d over |d| <= |g_0| and g_0 . d >= c |g_0|^2, g_0 the mean of the g_k.

    So cos(d, g_0) >= c. It is MGDA's direction, of length |g_0|, if that lies in the cone. Otherwise d is
    c g_0 + sqrt(1 - c^2) |g_0| e for the e across g_0 that serves the worst-served task best; where many do, e is the
    shortest. Where g_0 is zero there is no cone: the weights are 1 / K, and ``unsolved`` counts the step.

    Args:
        c: From 0 to 1, the cosine of the cone's half-angle. At 1 the direction is g_0.
    """

    is_mean = True  # it is as long as the mean, at most

    def __init__(self, c: float = 0.75) -> None:
        within("[0, 1]", c=c)
        super().__init__()
        self.c = c

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products, mean = gramian.numpy(), 1 / len(gramian)
        length = mean_norm(products)
        if length == 0:
            self.unsolved += 1
            return torch.full_like(losses, mean)
        along = products.mean(axis=1) / length  # of each g_k, in the direction of g_0
        lowest = min_norm(products)
        square = lowest @ products @ lowest
        noise = len(products) * EPSILON * (lowest @ np.sqrt(products.diagonal())) ** 2
        if square > noise and lowest @ along >= self.c * np.sqrt(square):
            return torch.from_numpy(lowest * (length / np.sqrt(square)))
        across = products - along[:, None] * along
        rounding = len(products) * EPSILON * products.diagonal()
        parallel = across.diagonal() <= rounding
        across[parallel] = across[:, parallel] = 0.0
        aside = np.sqrt(1 - self.c**2)
        step, gap = best_step(across, self.c * along, aside)
        self.certify(gap)
        # the part of sum_k step_k g_k that lies across g_0
        return torch.from_numpy(self.c * mean + aside * (length * step - (step @ along) * mean))
