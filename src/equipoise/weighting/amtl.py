"""Achievement-based multi-task loss: listen to the tasks that are furthest from what a model of their own reaches.

Yun & Cho, Achievement-Based Training Progress Balancing for Multi-Task Learning, ICCV 2023; margin, moving average
and softmax as in the official code.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.arguments import each_within, one_per_task, within
from equipoise.method import Weighting
from equipoise.weighting.results import follow
from equipoise.weighting.signs import positive


class AMTL(Weighting):
    """objective = prod_k loss_k^weight_k, weight = softmax_k((1 - κ_k / ((1 + margin) potential_k))^gamma).

    κ_k <- alpha result_k + (1 - alpha) κ_k, from ``balancer.observe``: higher is better, and a negative result, such as
    an error that ``lower_is_better`` negates, counts as 0; a task without a result has achieved
    nothing, one above its goal has nothing left to achieve. The weights of the present tasks sum to one, so
    the objective is their weighted geometric mean: losses must be positive, and their scales do not matter.
    A user's weight multiplies the exponent.

    Args:
        potential: The result of a single-task model, one positive number per task.
        gamma: Positive; a large one turns away sooner from tasks that are near their goal.
        margin: How far above its potential a task's goal lies, as a part of it.
        alpha: In (0, 1]: the part of the newest result in κ.
    """

    user_weight = "preference"
    is_mean = True  # a geometric mean: with equal losses, the weights sum to one
    kpi: Tensor
    goal: Tensor
    preference: Tensor

    def __init__(
        self, potential: Sequence[float], gamma: float = 2.0, margin: float = 0.05, alpha: float = 0.1
    ) -> None:
        super().__init__()
        each_within("(0, inf)", potential=potential)
        within("(0, inf)", gamma=gamma)
        within("[0, inf)", margin=margin)
        within("(0, 1]", alpha=alpha)
        self.potential = tuple(potential)
        self.gamma, self.margin, self.alpha = gamma, margin, alpha

    def bind(self, num_tasks: int) -> None:
        one_per_task(num_tasks, potential=self.potential)
        self.register_buffer("goal", (1 + self.margin) * torch.tensor(self.potential), persistent=False)
        self.register_buffer("preference", torch.ones(num_tasks), persistent=False)
        self.register_buffer("kpi", torch.full((num_tasks,), torch.nan))  # κ_k

    def prefer(self, weights: Tensor) -> None:
        self.preference.copy_(weights)

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        follow(self.kpi, results, tasks, self.alpha)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        achievement = (self.kpi[tasks].nan_to_num(nan=0.0) / self.goal[tasks]).clamp(0.0, 1.0).to(losses)
        weights = torch.softmax((1 - achievement) ** self.gamma + self.preference[tasks].to(losses).log(), dim=0)
        return (weights * positive(losses, tasks, self).log()).sum().exp()
