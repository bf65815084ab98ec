"""The plain sum: all losses count as they are.

No paper; it is the unit of ``Chain``.
"""

from torch import Tensor

from equipoise.method import Weighting


class Sum(Weighting):
    """objective = sum_k loss_k."""

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return losses.sum()
