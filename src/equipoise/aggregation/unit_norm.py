"""UnitNorm: let every task's gradient have the same length in every step.

What Chen et al., GradNorm, ICML 2018, eq. (2), aims at with alpha = 0, reached at once.
"""

from torch import Tensor

from equipoise.method import Aggregator


class UnitNorm(Aggregator):
    """weights_k = 1 / |g_k|; a gradient that is exactly zero has no length to set and keeps weight 1."""

    user_weight = "ignored"

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        norms = gramian.diagonal().sqrt()
        return 1 / norms.where(norms > 0, 1.0)
