"""Learning-rate annealing: let a condition's mean gradient entry be as large as the residual's largest.

Wang, Teng, Perdikaris, Understanding and Mitigating Gradient Flow Pathologies in Physics-Informed Neural Networks,
SIAM Journal on Scientific Computing 2021, algorithm 2.1; eq. (2.30) as the preprint's eq. (40) has it.
"""

import torch
from torch import Tensor

from equipoise.arguments import task_index, whole_number, within
from equipoise.method import RowAggregator


class LRAnnealing(RowAggregator):
    """weight_k <- (1 - alpha) weight_k + alpha max|g_res| / mean|g_k|, from 1; 1 for the residual.

    Maximum and mean are over coordinates, of the losses without the users' weights: these multiply the result. A
    zero gradient, or a step without the residual, leaves a weight as it is.

    Args:
        residual: The index of the residual task.
        alpha: In (0, 1], how much of the new ratio is taken up.
    """

    user_weight = "preference"
    own_norm = "by the residual's largest gradient entry"
    weight: Tensor

    def __init__(self, residual: int = 0, alpha: float = 0.1) -> None:
        whole_number(0, residual=residual)
        within("(0, 1]", alpha=alpha)
        super().__init__()
        self.residual = residual
        self.alpha = alpha

    def bind(self, num_tasks: int) -> None:
        task_index(num_tasks, residual=self.residual)
        self.register_buffer("weight", torch.ones(num_tasks, dtype=torch.float64))

    def row_weights(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        power, old = self.preferred(tasks).to(jacobian.device), self.weight[tasks]
        means = torch.linalg.vector_norm(jacobian, 1, dim=1, dtype=torch.float64) / jacobian.shape[1] / power
        residual = (tasks == self.residual).to(jacobian.device)
        if residual.any():
            largest = jacobian[residual].abs().max()
            new = (1 - self.alpha) * old + self.alpha * largest / power[residual] / means
            self.weight[tasks] = new.where((largest > 0) & (means > 0) & ~residual, old)
        return self.weight[tasks]
