"""UnitNorm: let every task's gradient have the same norm in every step.

What Chen et al., GradNorm, ICML 2018, eq. (2), aims at with alpha = 0, reached at once.
"""

from torch import Tensor

from equipoise.method import Aggregator


class UnitNorm(Aggregator):
    """weights_k = p_k / |g_k|, p_k the user's weight of the task.

    A gradient that is exactly zero has no length to set and keeps weight p_k.
    """

    user_weight = "preference"
    own_norm = "one for every task's gradient"

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        norms = gramian.diagonal().sqrt()
        return self.preferred(tasks) / norms.where(norms > 0, 1.0)
