"""Dynamic weight average: the task whose loss fell least over the last two epochs counts most.

Liu, Johns, Davison, End-to-End Multi-Task Learning with Attention, CVPR 2019, eq. (7).
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting


class DWA(Weighting):
    """weight_k = K softmax_k(r_k / temperature), r_k = mean loss of the last epoch / of the one before.

    Uniform until two epochs have ended: call ``balancer.end_epoch()`` after each. K counts the tasks
    present in the step.

    Args:
        temperature: Positive; a large one makes the weights equal.
    """

    def __init__(self, temperature: float = 2.0) -> None:
        super().__init__()
        within("(0, inf]", temperature=temperature)
        self.temperature = temperature

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("ratio", torch.ones(num_tasks))  # r_k
        self.register_buffer("previous", torch.full((num_tasks,), torch.nan))  # last epoch's mean
        self.register_buffer("total", torch.zeros(num_tasks))
        self.register_buffer("steps", torch.zeros(num_tasks))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values = losses.detach().to(self.total)
        finite = values.isfinite()  # an overflowed loss would spoil two epochs
        self.total[tasks] += values.where(finite, 0.0)
        self.steps[tasks] += finite.to(self.steps)
        weights = len(losses) * torch.softmax(self.ratio[tasks] / self.temperature, dim=0)
        return (weights * losses).sum()

    def end_epoch(self) -> None:
        seen = self.steps > 0  # a task absent for a whole epoch keeps its ratio
        mean = self.total / self.steps
        ratio = (mean / self.previous).nan_to_num(nan=1.0, posinf=1.0, neginf=1.0)
        self.ratio.copy_(ratio.where(seen, self.ratio))
        self.previous.copy_(mean.where(seen, self.previous))
        self.total.zero_()
        self.steps.zero_()
