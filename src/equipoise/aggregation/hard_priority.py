"""HardPriority: the auxiliary tasks may add what does not point against the primary task, and no more.

The projection of Chaudhry et al., Efficient Lifelong Learning with A-GEM, ICLR 2019, eq. (11), of the auxiliary tasks'
summed gradient, with the primary task's in the place of the memory's.
"""

import torch
from torch import Tensor

from equipoise.arguments import task_index, whole_number
from equipoise.method import Aggregator


class HardPriority(Aggregator):
    """d = g_p + a - min(a . g_p, 0) / |g_p|^2 g_p, a the sum of the others: a's nearest point with a . g_p >= 0.

    The primary task improves at least as fast as alone: g_p . d >= |g_p|^2. Where it is absent, or its gradient zero,
    nothing holds the others back. A user's weight scales its task's part.

    Args:
        primary: The primary task's place in the order of the tasks, from 0.
    """

    def __init__(self, primary: int = 0) -> None:
        whole_number(0, primary=primary)
        super().__init__()
        self.primary = primary

    def bind(self, num_tasks: int) -> None:
        task_index(num_tasks, primary=self.primary)

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        weights = torch.ones_like(losses)
        for row in (tasks == self.primary).nonzero().flatten().tolist():
            square = gramian[row, row]
            against = (gramian[row].sum() - square).clamp(max=0.0)
            weights[row] -= against / square.where(square > 0, 1.0)
        return weights
