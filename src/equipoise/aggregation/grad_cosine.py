"""GradCosine: an auxiliary task counts only while its gradient does not point against the main task's.

Du et al., Adapting Auxiliary Losses Using Gradient Similarity, 2018 (arXiv 1812.02224), propositions 1 and 2.
"""

import torch
from torch import Tensor

from equipoise.arguments import task_index, whole_number
from equipoise.method import Aggregator


class GradCosine(Aggregator):
    """weights_k = 1 if cos(g_k, g_main) >= 0 else 0 for auxiliary tasks k, and 1 for the main task.

    The direction never conflicts with the main task's gradient. Where one of the two gradients is zero, or the main
    task absent, there is no cosine and the weight is 0; with ``heads="raw"`` the auxiliary tasks' heads still learn, as
    in the paper.

    Args:
        main: The index of the main task, from 0.
        weighted: The paper's weighted version: weights_k = max(0, cos(g_k, g_main)).
    """

    def __init__(self, main: int = 0, weighted: bool = False) -> None:
        whole_number(0, main=main)
        super().__init__()
        self.main = main
        self.weighted = weighted

    def bind(self, num_tasks: int) -> None:
        task_index(num_tasks, main=self.main)

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        is_main = tasks == self.main
        squares = gramian.diagonal()
        norms = squares.where(squares > 0, 1.0).sqrt()
        cosines = is_main.double() @ (gramian / norms[:, None] / norms)  # [K], with g_main
        is_known = (squares > 0) & (squares[is_main] > 0).any()
        weights = cosines.clamp(min=0.0) if self.weighted else ((cosines >= 0) & is_known).double()
        return torch.where(is_main, 1.0, weights)
