"""FairGrad: the direction that shares the improvement among the tasks fairly, for a chosen sense of fair.

Ban & Ji, Fair Resource Allocation in Multi-Task Learning, ICML 2024, eq. (4) and algorithm 1; with preferences,
Mo & Walrand's weighted alpha-fairness, IEEE/ACM Transactions on Networking 2000.
"""

import torch
from torch import Tensor

from equipoise.aggregation.solvers.fair import fair
from equipoise.method import Aggregator


class FairGrad(Aggregator):
    """weights w with G w = (p / w)^(1/alpha), for the d of greatest sum_k p_k (g_k . d)^(1 - alpha) / (1 - alpha).

    alpha -> 0 gives the sum's direction as far as nobody loses, 1 Nash-MTL, and the larger alpha, the more the
    worst-served task counts.
    p_k is the user's weight of the task. All losses times s give the gradient times s^((1 - alpha) / (1 + alpha)).
    Where the tasks cannot all gain (a convex combination of the gradients is zero), ``unsolved`` counts the step and
    d is of least norm; a task whose gradient is zero keeps weight 1, and counts too.

    Args:
        alpha: Positive; the paper's experiments use 2 most.
    """

    user_weight = "preference"
    own_norm = "of the degree (1 - alpha) / (1 + alpha) in the gradients' norms, by definition"

    def __init__(self, alpha: float = 2.0) -> None:
        if not 0 < alpha < float("inf"):
            raise ValueError(
                f"alpha must be positive and finite, got {alpha}; at 0 it would be DualProj, at infinity MGDA"
            )
        super().__init__()
        self.alpha = alpha

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        power = self.preferred(tasks).numpy()
        raw = gramian.numpy() / power[:, None] / power  # a user's weight is a preference, and no scale as well
        weights, residual = fair(raw, self.alpha, power)
        self.certify(residual)
        return torch.from_numpy(weights / power)
