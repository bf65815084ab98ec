"""MGDA: the common descent direction of least norm in the convex hull of the gradients.

Sener & Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018, eq. (3); Désidéri,
Multiple-Gradient Descent Algorithm, Comptes Rendus Mathématique 2012.
"""

import torch
from torch import Tensor

from equipoise.aggregation.solvers.min_norm import duality_gap, min_norm
from equipoise.method import Aggregator


class MGDA(Aggregator):
    """weights = argmin over the simplex of |sum_k weights_k g_k|^2.

    The direction is zero exactly where some convex combination of the gradients is: at a
    Pareto-stationary point, and so wherever one task's gradient is zero. A short gradient counts for
    much; put ``UnitNorm`` or ``RunningNorm`` before it where scales differ for no good reason.
    """

    user_weight = "inverts"
    is_mean = True

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products = gramian.numpy()
        weights = min_norm(products)
        self.certify(duality_gap(products, weights))
        return torch.from_numpy(weights)
