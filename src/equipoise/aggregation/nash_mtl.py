"""Nash-MTL: the direction on which the tasks agree as players of a bargaining game.

Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022, claim 3.1 and algorithm 1;
with preferences, the asymmetric Nash solution.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.aggregation.solvers.nash import nash
from equipoise.method import Aggregator


class NashMTL(Aggregator):
    """weights alpha with G alpha = preference / alpha, the maximiser of sum_k preference_k log(g_k . d).

    The direction d has the norm sqrt(sum_k preference_k) and does not depend on the scale of any loss; a
    user's weight multiplies the task's preference. Where the gradients leave nothing to bargain for (a
    convex combination of them is zero), ``unsolved`` counts the step and d is of least norm.
    """

    user_weight = "preference"

    def __init__(self, preference: Sequence[float] | None = None) -> None:
        if preference is not None and not all(0 < value < float("inf") for value in preference):
            raise ValueError(f"preference must be positive and finite for every task, got {preference}")
        super().__init__()
        self.preference = preference if preference is None else tuple(preference)

    def bind(self, num_tasks: int) -> None:
        if self.preference is not None and len(self.preference) != num_tasks:
            raise ValueError(f"preference has {len(self.preference)} values for {num_tasks} tasks; give one for each")

    def sum_factor(self, num_tasks: int) -> None:
        """The length is its own: sqrt(sum p) by definition, whatever the gradients' lengths."""

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        power = self.preferred(tasks)
        if self.preference is not None:
            power = power * torch.tensor(self.preference, dtype=torch.float64, device="cpu")[tasks]
        alpha, residual = nash(gramian.numpy(), power.numpy())
        self.certify(residual)
        return torch.from_numpy(alpha)
