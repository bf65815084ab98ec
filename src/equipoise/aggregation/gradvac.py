"""GradVac: let each task's gradient be as similar to another's as the two have been so far.

Wang et al., Gradient Vaccine: Investigating and Improving Multi-task Optimization in Massively Multilingual Models,
ICLR 2021, algorithm 1, with all shared parameters as one group.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.pcgrad import random_orders
from equipoise.arguments import whole_number, within
from equipoise.method import Aggregator

_PARALLEL = 1e-3  # the sine of a target from which on a step towards it would be a thousand lengths


class GradVac(Aggregator):
    """If cos(g_i, g_j) < t_ij, add to g_i the multiple of g_j that makes it t_ij; t_ij <- t_ij + beta (cos - t_ij).

    For every i, the j != i in random order, g_j as it was, t from 0: the first step is that of ``PCGrad`` with the
    same seed. Then the sum over i. The order follows from ``seed`` and the number of the step. A pair with a zero
    gradient has no cosine, and a target of 1 no finite multiple: both are passed over.

    Args:
        beta: In [0, 1], how much of a step's cosine the targets take up.
        seed: Of the orders.
    """

    target: Tensor
    step: Tensor

    def __init__(self, beta: float = 0.01, seed: int = 0) -> None:
        within("[0, 1]", beta=beta)
        whole_number(0, seed=seed)
        super().__init__()
        self.beta = beta
        self.seed = seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64, device="cpu"))

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("target", torch.zeros(num_tasks, num_tasks, dtype=torch.float64))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        rows, norms = np.arange(len(tasks)), gramian.diagonal().sqrt().numpy()
        lengths = np.where(norms > 0, norms, 1.0)
        cosines = gramian.numpy() / lengths[:, None] / lengths
        targets = self.target[tasks][:, tasks].numpy()
        surgery = np.eye(len(rows))  # row i: g_i / |g_i| in terms of the unit gradients
        for others in random_orders(self.seed, int(self.step), len(rows)):  # every row meets one other task at a time
            square = (surgery @ cosines * surgery).sum(axis=1)
            rounding = len(rows) * np.finfo(np.float64).eps * np.abs(surgery).sum(axis=1) ** 2
            known = (norms[others] > 0) & (square > rounding)
            length = np.sqrt(np.where(known, square, 1.0))
            found = np.clip((surgery * cosines[others]).sum(axis=1) / length, -1.0, 1.0)
            aim = targets[rows, others]
            sine = np.sqrt(np.maximum(1 - aim**2, 0.0))
            short = known & (found < aim) & (sine > _PARALLEL)
            gain = length * (aim * np.sqrt(1 - found**2) / np.where(short, sine, 1.0) - found)
            surgery[rows, others] += np.where(short, gain, 0.0)
            targets[rows, others] += np.where(known, self.beta * (found - aim), 0.0)
        self.target[tasks[:, None], tasks] = torch.from_numpy(targets)
        self.step += 1
        return torch.from_numpy(lengths @ surgery / lengths)
