"""IMGrad: CAGrad that listens less to the worst-served task the further the mean gradient is from MGDA's.

Zhou et al., Injecting Imbalance Sensitivity for Multi-Task Learning, IJCAI 2025.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.solvers.ball import best_step, mean_norm
from equipoise.aggregation.solvers.min_norm import EPSILON, min_norm
from equipoise.arguments import within
from equipoise.method import Aggregator


class IMGrad(Aggregator):
    """d = g_0 + c |g_0| g_w / |g_w|, w of least (1 - cos θ) g_w . g_0 + cos θ c |g_0| |g_w| on the simplex.

    g_0 is the mean of the g_k and θ its angle to MGDA's direction; where that is zero, cos θ is 0 and g_w the gradient
    that g_0 serves worst. Where this is zero itself, d is g_0. Like CAGrad's, d is not divided by 1 + c^2.

    Args:
        c: Not negative; how far d may be from g_0.
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
        norms = np.sqrt(products.diagonal())
        served = products.mean(axis=1)  # g_k . g_0
        lowest, radius = min_norm(products), self.c * mean_norm(products)
        square = lowest @ products @ lowest
        if radius == 0 or square <= len(norms) * EPSILON * (lowest @ norms) ** 2:
            worst = int(served.argmin())
            step, gap = np.where(np.arange(len(norms)) == worst, 1 / (norms[worst] or np.inf), 0.0), 0.0
        else:
            cosine = min(float(lowest @ served / np.sqrt(square) / mean_norm(products)), 1.0)
            step, gap = best_step(products, (1 - cosine) * served, cosine * radius)
        self.certify(gap)
        return torch.from_numpy(1 / len(products) + radius * step)
