"""LogSum: the sum of log losses, so that only relative change counts.

The baseline "SI" of Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022, section 5; where the
learned scales of UW and IMTL-L come to rest.
"""

import torch
from torch import Tensor

from equipoise.method import Weighting
from equipoise.weighting.signs import positive


class LogSum(Weighting):
    """objective = sum_k p_k log loss_k, p_k the user's weight of the task; so weight_k = p_k / loss_k.

    Every loss must be positive.
    """

    user_weight = "preference"
    own_norm = "of relative change: gradients over losses"

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return torch.sum(self.preferred(tasks).to(losses) * positive(losses, tasks, self).log())
