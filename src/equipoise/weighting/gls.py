"""Geometric loss strategy: the geometric mean of the losses.

Chennupati et al., MultiNet++: Multi-Stream Feature Aggregation and Geometric Loss Strategy for Multi-Task
Learning, CVPR Workshops 2019, eq. (2); with weights, the weighted geometric mean.
"""

import torch
from torch import Tensor

from equipoise.method import Weighting
from equipoise.weighting.signs import positive


class GLS(Weighting):
    """objective = (prod_k loss_k^p_k)^(1 / sum_k p_k), p_k the user's weight of the task.

    weight_k = objective · p_k / sum p / loss_k: the direction of ``LogSum``, with a length that fades with the
    losses. Every loss must be positive.
    """

    user_weight = "preference"
    is_mean = True  # a geometric mean: with equal losses, all weights are 1 / K

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        power = self.preferred(tasks).to(losses)
        return torch.exp(torch.sum(power / power.sum() * positive(losses, tasks, self).log()))
