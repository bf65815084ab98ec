"""PCD: follow the primary task as closely as a share of progress for every other task allows.

Varam & AlHajri, Not All Objectives Are Born Equal: Priority-Constrained Descent for Hierarchical Multi-Objective
Optimization, TMLR 2026, definitions 4.1 and 4.5, algorithm 1.
"""

import torch
from torch import Tensor

from equipoise.aggregation.solvers.priority import nearest_to
from equipoise.arguments import task_index, whole_number, within
from equipoise.method import Aggregator


class PCD(Aggregator):
    """d ~ argmin |d - h_p|^2 with h_k . d >= tau |h_k|^2 for k != p, |d| = |g_p|; h_k = g_k / sqrt(v_k).

    v_k is the running mean of |g_k|^2 (``beta``, bias-corrected), without the paper's eps in the root: a task whose
    gradients were all zero constrains nothing. A constant factor of a loss changes only, for the primary task's, the
    length. Where no d meets all constraints they are dropped, and ``unsolved`` counts the step; d is zero where the
    primary's gradient is zero or absent, and where the constraints leave nothing of it.

    Args:
        primary: The primary task's place in the order of the tasks, from 0.
        tau: From 0 to 1, the share of the progress along its own gradient that each other task is due.
        beta: Of the running means, from 0 to below 1.
    """

    user_weight = "ignored"
    own_norm = "that of the primary task's gradient"
    square: Tensor
    steps: Tensor

    def __init__(self, primary: int = 0, tau: float = 0.02, beta: float = 0.999) -> None:
        whole_number(0, primary=primary)
        within("[0, 1]", tau=tau)
        within("[0, 1)", beta=beta)
        super().__init__()
        self.primary = primary
        self.tau = tau
        self.beta = beta

    def bind(self, num_tasks: int) -> None:
        task_index(num_tasks, primary=self.primary)
        self.register_buffer("square", torch.zeros(num_tasks, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros(num_tasks, dtype=torch.int64))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        self.square[tasks] += (1 - self.beta) * (gramian.diagonal() - self.square[tasks])
        self.steps[tasks] += 1
        usual = self.square[tasks] / (1 - self.beta ** self.steps[tasks].double())
        scales = usual.where(usual > 0, 1.0).rsqrt()
        first = (tasks == self.primary).nonzero().flatten().tolist()
        if not first:
            return torch.zeros_like(losses)
        products = scales[:, None] * gramian * scales
        weights, residual = nearest_to(first[0], products.numpy(), self.tau)
        self.certify(residual)
        return torch.from_numpy(weights) * scales / scales[first]
