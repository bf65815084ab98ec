"""IMTL-L: learn a scale for each loss, so that all scaled losses are equal.

Liu et al., Towards Impartial Multi-task Learning, ICLR 2021, section 3.2 (loss balance).
"""

import torch
from torch import Tensor, nn

from equipoise.method import Weighting


class IMTLL(Weighting):
    """objective = sum_k exp(s_k) loss_k - s_k, s_k learned.

    It is twice ``UW``'s objective at -s_k, derived without a likelihood: at rest every exp(s_k) loss_k is 1. Give
    the s_k to the optimiser, best without weight decay.

    Args:
        initial: The s_k at the start.
    """

    user_weight = "ignored"  # at its optimum s_k absorbs any constant factor of loss_k
    own_norm = "learned"

    def __init__(self, initial: float = 0.0) -> None:
        super().__init__()
        self.initial = initial

    def bind(self, num_tasks: int) -> None:
        self.log_scale = nn.Parameter(torch.full((num_tasks,), float(self.initial)))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        log_scale = self.log_scale[tasks]
        return torch.sum(torch.exp(log_scale) * losses - log_scale)
