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
    powers: Tensor

    def __init__(self, preference: Sequence[float] | None = None) -> None:
        if preference is not None and not all(0 < value < float("inf") for value in preference):
            raise ValueError(f"preference must be positive and finite for every task, got {preference}")
        super().__init__()
        self.preference = preference if preference is None else tuple(preference)

    def bind(self, num_tasks: int) -> None:
        # arguments in another form, not state: a run may resume with other weights
        self.register_buffer("powers", torch.ones(num_tasks, dtype=torch.float64), persistent=False)
        self.prefer(self.powers)

    def prefer(self, weights: Tensor) -> None:
        if not (weights > 0).all():
            raise ValueError(f"NashMTL takes positive task weights only, got {weights.tolist()}")
        base = torch.ones_like(self.powers) if self.preference is None else self.powers.new_tensor(self.preference)
        if len(base) != len(weights):
            raise ValueError(f"preference has {len(base)} values for {len(weights)} tasks; give one for each")
        self.powers.copy_(base * weights.to(base))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        alpha, solved = nash(gramian.numpy(), self.powers[tasks].numpy())
        self.unsolved += not solved
        return torch.from_numpy(alpha)
