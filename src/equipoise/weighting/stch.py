"""STCH: a smooth maximum of the weighted losses.

Lin et al., Smooth Tchebycheff Scalarization for Multi-Objective Optimization, ICML 2024, eq. (6).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.weighting.scalarisation import Scalarisation


class STCH(Scalarisation):
    """objective = mu log sum_k exp(y_k / mu), y_k = weights_k (loss_k - reference_k).

    weight_k = weights_k softmax_k(y / mu). It lies within mu log K above ``Tchebycheff``. Losses must be comparable, in
    the units of mu: put ``Initial`` or ``EMA`` before it in a ``Chain`` where they are not.

    Args:
        mu: Positive; a small one comes near to the maximum, a large one to the weighted sum.
        weights: The preference, positive, one number per task in the tasks' order; by default 1 / K for the K
            tasks of a step. A user's weight of a task multiplies it.
        reference: The ideal point, one number per task, in the units of the loss without the user's weight; by
            default 0.
    """

    def __init__(
        self, mu: float = 0.1, weights: Sequence[float] | None = None, reference: Sequence[float] | None = None
    ) -> None:
        super().__init__(weights, reference)
        within("(0, inf]", mu=mu)
        self.mu = mu

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return self.mu * torch.logsumexp(self.excess(losses, tasks) / self.mu, dim=0)
