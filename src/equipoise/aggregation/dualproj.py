"""DualProj: the mean gradient, moved as little as needed to conflict with no task.

Lopez-Paz & Ranzato, Gradient Episodic Memory for Continual Learning, NeurIPS 2017, eq. (11), for the mean of the tasks.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.solvers.dual_cone import project
from equipoise.method import Aggregator


class DualProj(Aggregator):
    """d = argmin |d - g_0|^2 with g_k . d >= 0 for all k, g_0 the mean of the g_k."""

    is_mean = True  # it is a mean, moved

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products = gramian.numpy()
        weights, residual = project(products, np.full((1, len(products)), 1 / len(products)))
        self.certify(residual)
        return torch.from_numpy(weights[0])
