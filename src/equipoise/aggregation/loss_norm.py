"""LossNorm: divide each task's gradient by its loss and by its own norm.

The normalisation "loss+" of Sener & Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018
(official code, gradient_normalizers).
"""

from torch import Tensor

from equipoise.method import Aggregator


class LossNorm(Aggregator):
    """weights_k = p_k² / (|loss_k| |g_k|), p_k the user's weight of the task: a row of length p_k / (loss before p_k).

    For a ``Chain``: under MGDA, the task of the largest loss has the shortest row and so the largest weight.
    A gradient or a loss that is exactly zero has no size to divide by and counts as 1; ``unsolved`` counts
    steps with a loss at or below zero.
    """

    user_weight = "preference"
    own_norm = "one over the loss for every task's gradient"

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        self.unsolved += bool((losses <= 0).any())
        norms = gramian.diagonal().sqrt()
        scales = losses.abs().where(losses != 0, 1.0) * norms.where(norms > 0, 1.0)
        return self.preferred(tasks) ** 2 / scales
