"""Krum: follow the gradient that has the closest neighbours, and trust no outlier.

Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient Descent, NeurIPS 2017,
section 4; Multi-Krum is in section 5.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.arguments import whole_number
from equipoise.method import Aggregator


class Krum(Aggregator):
    """weights = 1 / selected on the best s_i = sum over the K - byzantine - 2 nearest j != i of |g_i - g_j|^2.

    A mean, as in the paper. Ties go to the task that comes first. K counts the tasks present: where they
    are so few that none has a neighbour to be measured by, ``unsolved`` counts the step and all of them
    weigh 1 / K.

    Args:
        byzantine: The paper's f, how many tasks may be arbitrarily wrong; it needs 2 f + 3 tasks.
        selected: The paper's m, over how many of the best the mean is taken; 1 is Krum, more Multi-Krum.
    """

    user_weight = "inverts"  # a heavier task is further from the others
    is_mean = True

    def __init__(self, byzantine: int = 0, selected: int = 1) -> None:
        whole_number(0, byzantine=byzantine)
        whole_number(1, selected=selected)
        super().__init__()
        self.byzantine = byzantine
        self.selected = selected

    def bind(self, num_tasks: int) -> None:
        if num_tasks < 2 * self.byzantine + 3:
            raise ValueError(
                f"byzantine={self.byzantine} needs {2 * self.byzantine + 3} tasks or more, got {num_tasks}"
            )
        if self.selected > num_tasks:
            raise ValueError(f"selected={self.selected} is more than there are tasks, {num_tasks}: take less")

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products, selected = gramian.numpy(), min(self.selected, len(gramian))
        neighbours = len(gramian) - self.byzantine - 2
        if neighbours < 1:
            self.unsolved += 1
            return torch.full_like(losses, 1 / len(gramian))
        squares = products.diagonal()
        distances = np.maximum(squares[:, None] + squares - 2 * products, 0.0)
        np.fill_diagonal(distances, np.inf)  # nobody is a neighbour of itself
        scores = np.sort(distances, axis=1)[:, :neighbours].sum(axis=1)
        weights = torch.zeros_like(losses)
        weights[torch.from_numpy(scores.argsort(kind="stable")[:selected])] = 1 / selected
        return weights
