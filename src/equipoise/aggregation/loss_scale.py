"""LossScale: divide each task's gradient by its loss, which makes it the gradient of the loss's logarithm.

The normalisation "loss" of Sener & Koltun, NeurIPS 2018 (official code, gradient_normalizers); the rows of the LOG_
variants in Liu et al., FAMO, NeurIPS 2023 (official code).
"""

from torch import Tensor

from equipoise.method import Aggregator


class LossScale(Aggregator):
    """weights_k = p_k / |loss_k|, p_k the user's weight of the task: g_k / loss_k = ∇ log loss_k.

    For a ``Chain``, before a method that should see relative instead of absolute progress. A loss at or below
    zero has no logarithm: ``unsolved`` counts the step, and the row is divided by the loss's size, or left as
    it is at exactly zero.
    """

    user_weight = "preference"
    own_norm = "of relative change: gradients over losses"

    def needs_gramian(self, tasks: Tensor) -> bool:
        return False

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        self.unsolved += bool((losses <= 0).any())
        return self.preferred(tasks) / losses.abs().where(losses != 0, 1.0)
