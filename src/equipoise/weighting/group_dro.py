"""Group DRO: a player who raises the weight of whatever is worst.

Sagawa et al., Distributionally Robust Neural Networks for Group Shifts, ICLR 2020, algorithm 1; a task in the
place of a group.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting


class GroupDRO(Weighting):
    """weight_k = q_k / sum_i q_i, with q_k <- q_k exp(rate loss_k) before it is used.

    The weights sum to 1, as in the paper. The tasks of a step exchange what they hold, so an absent one keeps its q.
    Losses must be comparable, and the rate is one over a loss: put ``Initial`` or ``EMA`` before it in a ``Chain``
    where they are not.

    Args:
        rate: Positive.
    """

    is_mean = True  # the weights sum to one

    def __init__(self, rate: float = 0.01) -> None:
        super().__init__()
        within("(0, inf]", rate=rate)
        self.rate = rate

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("log_q", torch.zeros(num_tasks))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values, old = losses.detach().to(self.log_q), self.log_q[tasks]
        shares = torch.log_softmax(old + self.rate * values.nan_to_num(0.0, 0.0, 0.0), dim=0)
        self.log_q[tasks] = shares + torch.logsumexp(old, dim=0)
        return torch.sum(shares.exp() * losses)
