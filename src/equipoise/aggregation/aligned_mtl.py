"""Aligned-MTL: turn the tasks' gradients until they are orthogonal and of one norm, changing them least.

Senushkin et al., Independent Component Alignment for Multi-Task Learning, CVPR 2023, algorithm 1.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.solvers.alignment import alignment
from equipoise.method import Aggregator


class AlignedMTL(Aggregator):
    """weights = B p with B = s V S⁻¹ Vᵀ for J Jᵀ = V S² Vᵀ: the aligned gradients B J have singular values s.

    p_k is the user's weight of the task, the paper's pre-defined task weight; with all p_k = 1 the aligned gradients
    are summed, as in the official code. A task whose gradient is zero keeps weight 1. ``unsolved`` counts the steps in
    which singular values spread over more digits than a float64 has.

    Args:
        scale: What s is: ``"min"``, the smallest singular value, as in the paper, or the ``"median"`` or the
            ``"rmse"``, the root of the mean square, as in its code.
    """

    user_weight = "preference"

    def __init__(self, scale: str = "min") -> None:
        if scale not in ("min", "median", "rmse"):
            raise ValueError(f"scale must be 'min', 'median' or 'rmse', got {scale!r}")
        super().__init__()
        self.scale = scale

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products, power = gramian.numpy(), self.preferred(tasks).numpy()
        matrix, solved = alignment(products / power[:, None] / power, self.scale)  # of the losses without p
        if not solved:
            self.unsolved += 1
        return torch.from_numpy(np.where(products.diagonal() > 0, matrix @ power / power, 1.0))
