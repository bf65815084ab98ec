"""RunningNorm: divide each task's gradient by the running mean of its norm.

Défossez et al., High Fidelity Neural Audio Compression, TMLR 2023, section 3.4 (loss balancer); the
bias correction is that of Adam, Kingma & Ba, ICLR 2015, algorithm 1.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Aggregator


class RunningNorm(Aggregator):
    """weights_k = p_k (1 - beta^t_k) / m_k, with m_k <- beta m_k + (1 - beta) |g_k| and t_k its updates.

    Unlike ``UnitNorm``, a task whose gradient fades or bursts is still seen to do so. A task whose
    gradients were all exactly zero keeps weight p_k, the user's weight of the task.
    """

    user_weight = "preference"
    own_norm = "about one for every task's gradient"
    mean: Tensor
    steps: Tensor

    def __init__(self, beta: float = 0.99) -> None:
        within("[0, 1)", beta=beta)
        super().__init__()
        self.beta = beta

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("mean", torch.zeros(num_tasks, dtype=torch.float64))
        self.register_buffer("steps", torch.zeros(num_tasks, dtype=torch.int64))

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        self.mean[tasks] += (1 - self.beta) * (gramian.diagonal().sqrt() - self.mean[tasks])
        self.steps[tasks] += 1
        mean = self.mean[tasks] / (1 - self.beta ** self.steps[tasks].double())
        return self.preferred(tasks) / mean.where(mean > 0, 1.0)
