"""CVaR: the mean of the worst share of losses.

Rockafellar & Uryasev, Optimization of Conditional Value-at-Risk, Journal of Risk 2000; with a whole number of
tasks, Fan et al., Learning with Average Top-k Loss, NeurIPS 2017, eq. (2).
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting


class CVaR(Weighting):
    """objective = mean of the worst alpha K losses; where alpha K is no whole number, the last counts in part.

    K counts the tasks of the step. Losses must be comparable: put ``Initial`` or ``EMA`` before it in a ``Chain``
    where they are not.

    Args:
        alpha: In (0, 1]; 1 is the mean, and up to 1 / K the worst loss alone.
    """

    is_mean = True

    def __init__(self, alpha: float = 0.5) -> None:
        super().__init__()
        within("(0, 1]", alpha=alpha)
        self.alpha = alpha

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        size = self.alpha * len(losses)
        ranks = torch.arange(len(losses), dtype=losses.dtype, device=losses.device)
        parts = (size - ranks).clamp(0, 1)
        return torch.sum(losses.sort(descending=True).values * parts / size)
