"""UPGrad: what each task's gradient leaves once it hurts no other task, averaged.

Quinton & Rey, Jacobian Descent for Multi-Objective Optimization, 2024, eq. (3) and proposition 1.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.solvers.dual_cone import project
from equipoise.method import Aggregator


class UPGrad(Aggregator):
    """d = 1/K sum_k P(g_k), P the projection onto the directions that conflict with no task: g_j . d >= 0 for all j.

    A loss times s counts s times as much, and the direction is zero only where the gradients leave no way to improve.
    For two tasks it is half of PCGrad's.
    """

    is_mean = True

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products = gramian.numpy()
        weights, residual = project(products, np.eye(len(products)) / len(products))
        self.certify(residual)
        return torch.from_numpy(weights.sum(axis=0))
