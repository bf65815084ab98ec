"""UW-O: divide each loss by its own value, where UW's learned noise would come to rest.

Kirchdorfer et al., Analytical Uncertainty-Based Loss Weighting in Multi-Task Learning, GCPR 2024
(arXiv:2408.07985), section 3.
"""

import torch
from torch import Tensor

from equipoise.method import Weighting
from equipoise.weighting.signs import positive


class UWO(Weighting):
    """weight_k = p_k / loss_k, held fixed in the gradient; p_k the user's weight of the task.

    Its gradient is that of ``LogSum``. Every loss must be positive; one that nears zero takes over.
    """

    user_weight = "preference"
    own_norm = "of relative change: gradients over losses"

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return torch.sum(self.preferred(tasks).to(losses) * losses / positive(losses.detach(), tasks, self))
