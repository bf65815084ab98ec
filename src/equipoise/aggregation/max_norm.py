"""MaxNorm: stretch every task's gradient to the largest of their norms.

Lin et al., Dual-Balancing for Multi-Task Learning, 2023 (arXiv 2308.12029), eq. (2), without its moving average of
the gradients, which ``DBMTL`` keeps: ``Chain(LogSum(), MaxNorm())`` is that method with beta = 0, from the gramian.
"""

from torch import Tensor

from equipoise.method import Aggregator


class MaxNorm(Aggregator):
    """weights_k = max_j |g_j| / |g_k|, of the losses without the users' weights: these multiply the result.

    Steps shorten only when all gradients do. A gradient that is exactly zero keeps weight 1.
    """

    user_weight = "preference"

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        norms = gramian.diagonal().sqrt() / self.preferred(tasks)
        return (norms.max() / norms).where(norms > 0, 1.0)
