"""EMA: divide each loss by the running mean of its own past.

``UWO``'s weights (Kirchdorfer et al., GCPR 2024) of a smoothed loss; the mean and its bias correction are those
of Adam, Kingma & Ba, ICLR 2015, algorithm 1.
"""

import math

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting
from equipoise.weighting.signs import positive


class EMA(Weighting):
    """weight_k = p_k (1 - beta^t_k) / m_k, with m_k <- beta m_k + (1 - beta) loss_k and t_k its updates.

    p_k is the user's weight of the task. The running mean must be positive; a loss that is not finite is not counted.

    Args:
        beta: In [0, 1); 0 is ``UWO``.
    """

    user_weight = "preference"
    own_norm = "of relative change: gradients over mean losses"

    def __init__(self, beta: float = 0.99) -> None:
        super().__init__()
        within("[0, 1)", beta=beta)
        self.beta = beta

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("mean", torch.zeros(num_tasks))  # bias-corrected: m_k / (1 - beta^t_k)
        self.register_buffer("steps", torch.zeros(num_tasks))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values, old = losses.detach().to(self.mean), self.mean[tasks]
        finite = values.isfinite()
        self.steps[tasks] += finite.to(self.steps)
        decay = math.log(self.beta) if self.beta > 0 else -math.inf
        rate = (self.beta - 1) / torch.expm1(decay * self.steps[tasks])  # 1 at first
        mean = (old + rate * (values - old)).where(finite, old)
        self.mean[tasks] = mean
        mean = mean.where(self.steps[tasks] > 0, 1.0)
        return torch.sum(self.preferred(tasks).to(losses) / positive(mean, tasks, self) * losses)
