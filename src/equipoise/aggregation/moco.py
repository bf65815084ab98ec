"""MoCo: track each task's gradient over the steps, and its weight in the least norm, so that noise averages out.

Fernando et al., Mitigating Gradient Bias in Multi-objective Learning: A Provably Convergent Approach,
ICLR 2023, algorithm 1, without bounds on y.
"""

import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.pieces import products_of_rows
from equipoise.aggregation.row_memory import RowMemory
from equipoise.aggregation.solvers.simplex import nearest_in_simplex
from equipoise.arguments import within
from equipoise.method import CoordinateAggregator


class MoCo(RowMemory, CoordinateAggregator):
    """y_k <- y_k + beta (g_k - y_k), l <- Proj(l - gamma (Y Y^T / tr(Y Y^T) + rho) l); gradient = sum_k l_k y_k.

    Proj goes to the nearest point of the simplex; the weights l start uniform, y at zero. The tasks present
    share among them what weight they had, and the gradient is their average. For steady gradients and
    ``rho=0`` it becomes that of MGDA. A task keeps P numbers of state.

    The trace, the sum of the squared lengths of the y, makes gamma and rho numbers without a unit: a factor of all
    losses is one of the gradient. In the paper's step, which has none, they fit gradients of one length only.

    Args:
        beta: In (0, 1]; 1 forgets the steps before.
        gamma: The step of the weights. No eigenvalue of the quotient is above 1: below 2 it settles for any K.
        rho: What is added to the diagonal: the larger, the nearer the weights stay to each other.
        relative: False is the paper's step, without the trace; gamma is then in the units of one over the squared
            norm of a gradient, and rho in those of its square.
    """

    user_weight = "inverts"
    is_mean = True  # once y has caught up with the gradients, which takes some 1 / beta steps
    shares: Tensor
    is_relative: Tensor

    def __init__(self, beta: float = 0.1, gamma: float = 0.5, rho: float = 0.0, relative: bool = True) -> None:
        within("(0, 1]", beta=beta)
        within("(0, inf)", gamma=gamma)
        within("[0, inf)", rho=rho)
        super().__init__()
        self.beta, self.gamma, self.rho, self.relative = beta, gamma, rho, relative

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.register_buffer("shares", torch.full((num_tasks,), 1 / num_tasks, dtype=torch.float64))  # l
        self.register_buffer("is_relative", torch.tensor(self.relative))  # of which step a saved state is

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        saved = state_dict.get(f"{prefix}is_relative")
        if saved is not None and bool(saved) != self.relative:
            raise ValueError(
                f"this state is of MoCo(relative={bool(saved)}), and its weights are of another step than those of "
                f"{self}: load it into a method with relative={bool(saved)}"
            )
        if saved is None and f"{prefix}shares" in state_dict:
            state_dict[f"{prefix}is_relative"] = self.is_relative
            if self.relative:
                warnings.warn(
                    "this state of MoCo does not say of which step it is; if of the earlier default, load it into "
                    f"MoCo(gamma=0.1, rho=0.1, relative=False), whose step is not that of {self}",
                    stacklevel=2,
                )
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        with self.remembered(jacobian, tasks) as tracked:
            tracked.lerp_(jacobian.to(tracked), self.beta)
            *products, shares = torch.vstack([products_of_rows(tracked), self.shares[tasks]]).cpu().numpy()
            mass, trace = shares.sum(), np.trace(products)
            weights = shares / mass if mass > 0 else np.full(len(shares), 1 / len(shares))
            slopes = products @ weights
            if self.relative and trace > 0:
                slopes /= trace
            moved = nearest_in_simplex(weights - self.gamma * (slopes + self.rho * weights))
            decided = torch.from_numpy(moved).to(self.shares)
            self.shares[tasks] = mass * decided
            return (decided.to(tracked) @ tracked).to(jacobian)
