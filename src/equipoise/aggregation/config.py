"""ConFIG: the direction that makes the same angle with every task's gradient, as long as their sum along it.

Liu et al., ConFIG: Towards Conflict-free Training of Physics Informed Neural Networks, ICLR 2025, eqs. (2), (3).
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.solvers.equiangular import equiangular
from equipoise.method import Aggregator


class ConFIG(Aggregator):
    """d = (sum_k g_k . u) u, u the unit vector along [u_1 … u_K]⁺ᵀ p, whose cosines with the g_k are as p_k.

    p_k is the user's weight of the task, 1 by default: twice the weight, twice the cosine. For two tasks of weight 1
    it is ``DCGD``. Where no direction has these cosines, ``unsolved`` counts the step and u is the nearest in the
    sense of least squares, or zero if there is none. A task whose gradient is zero is left out, is counted, and
    keeps weight 1.
    """

    user_weight = "preference"

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products, power = gramian.numpy(), self.preferred(tasks).numpy()
        norms = np.sqrt(products.diagonal())
        lengths = np.where(norms > 0, norms, 1.0)
        shares, solved = equiangular(products, power)
        if not solved:
            self.unsolved += 1
        along = products @ (shares / lengths) / lengths  # u_k . sum_j b_j u_j
        square = shares @ along
        is_direction = square > len(norms) * np.finfo(np.float64).eps * (power @ power)
        factor = (norms / power) @ along / square if is_direction else 0.0
        return torch.from_numpy(np.where(norms > 0, factor * shares / lengths, 1.0))
