"""Random loss weighting: weights drawn anew in every step, the least that a method has to beat.

Lin et al., Reasonable Effectiveness of Random Weighting: A Litmus Test for Multi-Task Learning, TMLR 2022,
section 3.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.arguments import whole_number
from equipoise.method import Weighting
from equipoise.weighting.clock import Clock


class RLW(Weighting):
    """weight_k = x_k / sum_i x_i, x_k = exp(normal) (a softmax) or an exponential number (a Dirichlet draw).

    The weights sum to 1, as in the paper: their mean over the steps is 1/K. They follow from ``seed`` and the
    number of the step, so every process draws the same.

    Args:
        distribution: ``"normal"``, or ``"dirichlet"``: uniform on the simplex.
        seed: Not negative.
    """

    is_mean = True  # the weights of every draw sum to one

    def __init__(self, distribution: str = "normal", seed: int = 0) -> None:
        super().__init__()
        if distribution not in ("normal", "dirichlet"):
            raise ValueError(f"distribution must be 'normal' or 'dirichlet', got {distribution!r}")
        whole_number(0, seed=seed)
        self.distribution = distribution
        self.seed = seed
        self.clock = Clock()

    def bind(self, num_tasks: int) -> None:
        self.num_tasks = num_tasks

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        generator = np.random.default_rng((self.seed, self.clock.tick()))
        if self.distribution == "normal":
            drawn = np.exp(generator.standard_normal(self.num_tasks))
        else:
            drawn = generator.standard_exponential(self.num_tasks)
        shares = torch.from_numpy(drawn).to(losses)[tasks]  # drawn for all, so that an absent task moves no other's
        return torch.sum(shares / shares.sum() * losses)
