"""Nash-MTL: the direction on which the tasks agree as players of a bargaining game, whatever their losses' scales.

Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022, claim 3.1 and algorithm 1;
with preferences, the asymmetric Nash solution.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.aggregation.solvers.nash import nash
from equipoise.arguments import each_within, one_per_task
from equipoise.method import Aggregator


class NashMTL(Aggregator):
    """weights alpha > 0 with G alpha = preference / alpha: then d = sum_k alpha_k g_k maximises sum_k p_k log(g_k . d).

    p is the preference, and the maximum is over all d of the same norm, sqrt(sum_k p_k). d does not depend on the scale
    of any loss; a user's weight multiplies the task's preference. Where no d decreases all losses (a convex combination
    of the gradients is zero), ``unsolved`` counts the step, and d is the shortest in the convex hull of the unit
    gradients.

    Args:
        preference: The bargaining power of each task, positive; None: 1 for each.
    """

    user_weight = "preference"
    own_norm = "sqrt(sum p) by definition, whatever the gradients' norms"

    def __init__(self, preference: Sequence[float] | None = None) -> None:
        if preference is not None:
            each_within("(0, inf)", preference=preference)
        super().__init__()
        self.preference = preference if preference is None else tuple(preference)

    def bind(self, num_tasks: int) -> None:
        if self.preference is not None:
            one_per_task(num_tasks, preference=self.preference)

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        preference = self.preferred(tasks)
        if self.preference is not None:
            preference = preference * torch.tensor(self.preference, dtype=torch.float64, device="cpu")[tasks]
        alpha, residual = nash(gramian.numpy(), preference.numpy())
        self.certify(residual)
        return torch.from_numpy(alpha)
