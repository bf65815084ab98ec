"""Tchebycheff scalarisation: the worst loss, weighted, above a reference.

Bowman, On the Relationship of the Tchebycheff Norm and the Efficient Frontier of Multiple-Criteria Objectives,
1976; as in Lin et al., Smooth Tchebycheff Scalarization, ICML 2024, eq. (4).
"""

from collections.abc import Sequence

from torch import Tensor

from equipoise.weighting.scalarisation import Scalarisation


class Tchebycheff(Scalarisation):
    """objective = max_k y_k, y_k = weights_k (loss_k - reference_k).

    Losses that are equally bad share the gradient. Every Pareto-optimal point is the minimum for some weights, also
    where the front is not convex; see ``STCH`` for a smooth one.

    Args:
        weights: The preference, positive, one number per task in the tasks' order; by default 1 / K for the K
            tasks of a step. A user's weight of a task multiplies it.
        reference: The ideal point, one number per task, in the units of the loss without the user's weight; by
            default 0.
    """

    def __init__(self, weights: Sequence[float] | None = None, reference: Sequence[float] | None = None) -> None:
        super().__init__(weights, reference)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return self.excess(losses, tasks).amax()
