"""IMTL-G: the direction that gains as much along every task's gradient as along any other.

Liu et al., Towards Impartial Multi-task Learning, ICLR 2021, section 3.1.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.solvers.equiangular import equiangular
from equipoise.method import Aggregator


class IMTLG(Aggregator):
    """weights_k = v_k / sum_j v_j with v = C⁺ 1 / norms, C the cosines: g_k . d / |g_k| is the same for all k.

    The weights sum to one, which bounds neither them nor the step: some may be negative. Solved for unit gradients,
    so the scale of a loss does not change the direction. ``unsolved`` counts the steps in which no weights of sum
    one have equal, positive projections: the sum of v is zero, or negative, where the paper's own division would
    turn d uphill for all tasks; or an affine combination of the unit gradients is zero. Then the weights are
    v / sum_j |v_j|. A task whose gradient is zero is left out, is counted too, and keeps weight 1.
    """

    user_weight = "ignored"
    is_mean = True  # its weights sum to one

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products = gramian.numpy()
        norms = np.sqrt(products.diagonal())
        shares, solved = equiangular(products, np.ones_like(norms))
        weights = shares / np.where(norms > 0, norms, 1.0)
        size = np.abs(weights).sum()
        is_positive = weights.sum() > len(weights) * np.finfo(np.float64).eps * size
        if not (solved and is_positive):
            self.unsolved += 1
        if size > 0:
            weights = weights / (weights.sum() if is_positive else size)
        return torch.from_numpy(np.where(norms > 0, weights, 1.0))
