"""Capped MGDA: MGDA in which no task's weight may exceed a cap.

Hu, Ho, Yu, A Unified Framework for Gradient Aggregation in Multi-Objective Optimization, 2026 (arXiv 2605.30452).
"""

import torch
from torch import Tensor

from equipoise.aggregation.solvers.capped import capped_min_norm
from equipoise.arguments import within
from equipoise.method import Aggregator


class CappedMGDA(Aggregator):
    """weights = argmin over the simplex, with weights <= cap, of |sum_k weights_k g_k|^2.

    The direction is the one whose gains g_k . d are best in the mean of the worst served 1 / cap tasks (their
    conditional value at risk) for its length. cap = 1 is MGDA; at 1 / K and below, and so with few tasks present, it is
    the mean.

    Args:
        cap: Positive, the largest weight of a task.
    """

    user_weight = "inverts"
    is_mean = True

    def __init__(self, cap: float = 0.5) -> None:
        within("(0, 1]", cap=cap)
        super().__init__()
        self.cap = cap

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        weights, gap = capped_min_norm(gramian.numpy(), self.cap)
        self.certify(gap)
        return torch.from_numpy(weights)
