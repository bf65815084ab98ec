"""p-norm scalarisation: between the sum and the worst loss.

Yu, A Class of Solutions for Group Decision Problems, Management Science 1973 (compromise programming); Miettinen,
Nonlinear Multiobjective Optimization, 1999, section 2.2.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.weighting.scalarisation import Scalarisation
from equipoise.weighting.signs import non_negative


class PNorm(Scalarisation):
    """objective = (sum_k y_k^p)^(1/p), y_k = weights_k (loss_k - reference_k), which must not be negative.

    weight_k = weights_k (y_k / objective)^(p - 1), and 0 where all y are.

    Args:
        p: At least 1, which is the weighted sum; ``Tchebycheff`` is the limit of a large one.
        weights: The preference, positive, one number per task in the tasks' order; by default 1 / K for the K
            tasks of a step. A user's weight of a task multiplies it.
        reference: The ideal point, one number per task, in the units of the loss without the user's weight; by
            default 0.
    """

    def __init__(
        self, p: float = 2.0, weights: Sequence[float] | None = None, reference: Sequence[float] | None = None
    ) -> None:
        super().__init__(weights, reference)
        within("[1, inf)", p=p)
        self.p = p

    def sum_factor(self, num_tasks: int) -> float:
        """The weights of equal y are K^(1/p - 1), and the default preferences 1 / K divide by K once more."""
        return float(num_tasks ** ((1 if self.weights is not None else 2) - 1 / self.p))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        excess = non_negative(self.excess(losses, tasks), tasks, self)
        largest = excess.detach().amax()
        largest = largest.where(largest > 0, 1.0)  # the norm is homogeneous, and powers of y alone would overflow
        norm: Tensor = torch.linalg.vector_norm(excess / largest, self.p)
        return largest * norm
