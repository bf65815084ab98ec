"""Dynamic task prioritization: the tasks with the worst validation results count most.

Guo et al., Dynamic Task Prioritization for Multitask Learning, ECCV 2018 (task-level prioritization).
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting
from equipoise.weighting.results import follow


class DTP(Weighting):
    """weight_k = -(1 - κ_k)^gamma log κ_k, with κ_k <- alpha result_k + (1 - alpha) κ_k in (0, 1].

    Call ``balancer.observe`` with results such as accuracy, mIoU or R²: higher is better. An error or a loss is none
    of these, and negated (``lower_is_better``) it counts as ``floor``. A task has weight 1 until its first
    result, which κ takes over as it is, and weight 0 when it is perfect.

    Args:
        gamma: Not negative; a large one turns away from easy tasks sooner.
        alpha: In (0, 1]: the part of the newest result in κ.
        floor: In (0, 1): results below it count as this much, since the weight of a task that can do nothing
            is infinite. 0.01 allows weights up to about 4.6.
    """

    own_norm = "by validation results: weights fall as these rise"
    kpi: Tensor

    def __init__(self, gamma: float = 1.0, alpha: float = 0.1, floor: float = 0.01) -> None:
        super().__init__()
        within("[0, inf)", gamma=gamma)
        within("(0, 1]", alpha=alpha)
        within("(0, 1)", floor=floor)
        self.gamma, self.alpha, self.floor = gamma, alpha, floor

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("kpi", torch.full((num_tasks,), torch.nan))  # κ_k

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        above = results > 1 + 1e-6  # a sum of float32 may round above 1
        if above.any():
            k, result = int(tasks[above][0]), float(results[above][0])
            raise ValueError(f"DTP takes results up to 1, such as an accuracy, got {result} for task {k}: scale them")
        follow(self.kpi, results.clamp(self.floor, 1.0), tasks, self.alpha)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        kpi = self.kpi[tasks]
        weights = (-((1 - kpi) ** self.gamma) * kpi.log()).nan_to_num(nan=1.0)
        return (weights.to(losses) * losses).sum()
