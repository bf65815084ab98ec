"""GradCosine: an auxiliary task counts only while its gradient does not point against the main task's.

Du et al., Adapting Auxiliary Losses Using Gradient Similarity, 2018 (arXiv 1812.02224), propositions 1 and 2.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Aggregator


class GradCosine(Aggregator):
    """weights_k = 1 if cos(g_k, g_main) >= 0 else 0 for auxiliary tasks k, and 1 for the main task.

    The direction never conflicts with the main task's gradient. Where that is zero, or the main task absent, there is
    no cosine, and the auxiliary tasks do not change the shared parameters; with ``heads="raw"`` their heads still
    learn, as in the paper.

    Args:
        main: The index of the main task, from 0.
        weighted: The paper's weighted version: weights_k = max(0, cos(g_k, g_main)).
    """

    def __init__(self, main: int = 0, weighted: bool = False) -> None:
        within("[0, inf)", main=main)
        super().__init__()
        self.main = main
        self.weighted = weighted

    def bind(self, num_tasks: int) -> None:
        within(f"[0, {num_tasks - 1}]", main=self.main)

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        is_main = tasks == self.main
        norms = gramian.diagonal().sqrt()
        norms = norms.where(norms > 0, 1.0)
        cosines = is_main.double() @ (gramian / norms[:, None] / norms)  # [K], with g_main
        is_known = (is_main & (gramian.diagonal() > 0)).any()
        weights = cosines.clamp(min=0.0) if self.weighted else ((cosines >= 0) & is_known).double()
        return torch.where(is_main, 1.0, weights)
