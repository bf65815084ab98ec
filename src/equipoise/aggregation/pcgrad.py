"""PCGrad: from each task's gradient, remove what points against another task's.

Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020, algorithm 1.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from equipoise.arguments import whole_number
from equipoise.method import Aggregator


class PCGrad(Aggregator):
    """g_i <- g_i - min(g_i . g_j, 0) / |g_j|^2 g_j for j != i in random order; then the sum over i.

    Rows of ``surgery`` [K, K] hold each g_i in terms of the original gradients, which the g_j always are.
    The order of a step follows from ``seed`` and the number of the step, so every process draws the same.
    """

    step: Tensor

    def __init__(self, seed: int = 0) -> None:
        whole_number(0, seed=seed)
        super().__init__()
        self.seed = seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64, device="cpu"))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        products, rows = gramian.numpy(), np.arange(len(gramian))
        squares = np.where(products.diagonal() > 0, products.diagonal(), 1.0)
        surgery = np.eye(len(rows))
        for others in random_orders(self.seed, int(self.step), len(rows)):  # every row meets one other task at a time
            conflict = np.minimum((surgery * products[others]).sum(axis=1), 0.0)
            surgery[rows, others] -= conflict / squares[others]
        self.step += 1
        return torch.from_numpy(surgery.sum(axis=0))


def random_orders(seed: int, step: int, num_tasks: int) -> NDArray[np.intp]:
    """Whom each task meets in each round [K - 1, K]: every other task once, in an order of its own.

    It follows from the seed and the number of the step, so every process draws the same.

    >>> random_orders(0, 0, 2)
    array([[1, 0]])
    """
    if num_tasks == 2:  # nothing to draw
        return np.array([[1, 0]])
    keys = np.random.default_rng((seed, step)).random((num_tasks, num_tasks))
    np.fill_diagonal(keys, np.inf)  # a task's own index comes last, and is left out
    return keys.argsort(axis=1)[:, :-1].T
