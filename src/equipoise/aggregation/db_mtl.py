"""DB-MTL: gradients of log losses, averaged over steps, all stretched to the largest of their norms.

Lin et al., Dual-Balancing for Multi-Task Learning, 2023 (arXiv 2308.12029), eqs. (1), (2) and algorithm 1.
"""

import torch
from torch import Tensor

from equipoise.aggregation.pieces import norms_of_rows
from equipoise.aggregation.row_memory import RowMemory
from equipoise.arguments import within
from equipoise.method import CoordinateAggregator


class DBMTL(RowMemory, CoordinateAggregator):
    """d = max_j |m_j| · sum_k m_k / |m_k|, with m_k <- b m_k + (1 - b) g_k / loss_k from 0, b = beta / t^decay.

    t counts the task's steps. The average is not corrected for its start, as in the paper: with decay = 0 the first
    steps are short. A task keeps P numbers of state; ``Chain(LogSum(), MaxNorm())`` is the same with beta = 0, from
    the gramian. A head keeps the gradient of its loss, where the paper's has that of the logarithm: a factor, which
    Adam takes out. A loss below zero has no logarithm; one of exactly zero counts as 1.

    Args:
        beta: In [0, 1).
        decay: Not negative; the paper tries 0 and 0.5.
    """

    user_weight = "ignored"
    own_norm = "of relative change: the longest gradient over its loss"
    steps: Tensor

    def __init__(self, beta: float = 0.9, decay: float = 0.0) -> None:
        within("[0, 1)", beta=beta)
        within("[0, inf)", decay=decay)
        super().__init__()
        self.beta = beta
        self.decay = decay

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.register_buffer("steps", torch.zeros(num_tasks, dtype=torch.int64))

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        if (losses < 0).any():
            raise ValueError(f"{self} takes the logarithm of losses: they must be positive, got {losses.tolist()}")
        steps = self.steps[tasks] + 1
        self.steps[tasks] = steps
        kept = (self.beta / steps.double() ** self.decay)[:, None]
        divisors = losses.where(losses > 0, 1.0).double()[:, None] / (1 - kept)
        with self.remembered(jacobian, tasks) as means:
            means.mul_(kept.to(means)).addcdiv_(jacobian.to(means), divisors.to(means))
            norms = norms_of_rows(means)
            stretch = (norms.max() / norms).where(norms > 0, 1.0)
            return (stretch.to(means) @ means).to(jacobian)
