"""UW+: UW with the regulariser log(1 + σ²), which keeps the objective positive.

Liebel & Körner, Auxiliary Tasks in Multi-task Learning, arXiv:1805.06334, 2018, section 3 (a revision of
Kendall et al.'s UW).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from equipoise.method import Weighting


class UWPlus(Weighting):
    """objective = sum_k loss_k / (2 σ_k^2) + log(1 + σ_k^2), s_k = log σ_k^2 learned.

    At its optimum a large loss has the weight 1 / loss_k, as in ``IMTLL``, and a small one 1 / sqrt(2 loss_k): a loss
    of small scale counts for less, so a user's weight is dampened, not ignored. Give the s_k to the optimiser, best
    without weight decay.

    Args:
        initial: The s_k at the start; 0 is σ = 1.
    """

    own_norm = "learned"

    def __init__(self, initial: float = 0.0) -> None:
        super().__init__()
        self.initial = initial

    def bind(self, num_tasks: int) -> None:
        self.log_variance = nn.Parameter(torch.full((num_tasks,), float(self.initial)))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        log_variance = self.log_variance[tasks]
        return torch.sum(torch.exp(-log_variance) * losses / 2 + softplus(log_variance))
