"""Fixed weights: the baseline that any other method has to beat once it is tuned.

Xin et al., Do Current Multi-Task Optimization Methods in Deep Learning Even Help?, NeurIPS 2022, eq. (1).
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from equipoise.method import Weighting


class Fixed(Weighting):
    """objective = sum_k weights[k] · loss_k.

    Args:
        weights: One finite number per task, in the tasks' order; not all zero, none negative.
    """

    def __init__(self, weights: Sequence[float]) -> None:
        super().__init__()
        if not isinstance(weights, Iterable) or isinstance(weights, Mapping):
            raise ValueError(f"weights must be one number per task, in the tasks' order, got {weights!r}")
        self.weights = [float(weight) for weight in weights]
        if not self.weights or min(self.weights) < 0 or not 0 < sum(self.weights) < float("inf"):
            raise ValueError(f"weights must be finite, none negative and not all zero, got {weights!r}")

    def bind(self, num_tasks: int) -> None:
        if len(self.weights) != num_tasks:
            raise ValueError(f"weights must hold one number for each of {num_tasks} tasks, got {self.weights!r}")
        self.register_buffer("factors", torch.tensor(self.weights, dtype=torch.float64), persistent=False)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return torch.sum(self.factors[tasks].to(losses) * losses)
