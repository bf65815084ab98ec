"""MetaBalance: in every parameter tensor, bring the norms of the auxiliary gradients near that of the main task's.

He et al., MetaBalance: Improving Multi-Task Recommendations via Adapting Gradient Magnitudes of Auxiliary Tasks,
WWW 2022 (arXiv 2203.06801), in the form that both reduces and enlarges.
"""

import torch
from torch import Tensor

from equipoise.aggregation.row_memory import RowMemory
from equipoise.arguments import task_index, whole_number, within
from equipoise.method import GroupAggregator


class MetaBalance(RowMemory, GroupAggregator):
    """weights_nk = relax · m_n,main / m_nk + 1 - relax, m_nk the running mean of |g_nk|, by every parameter n.

    The running means are bias-corrected, so that absent tasks are compared rightly; with all present that changes
    nothing. Parameters that the main task or the other has never moved keep weight 1. A user's weight acts in the
    part ``1 - relax`` only. A task keeps a number of state for every parameter tensor.

    Args:
        main: The index of the main task, whose own gradients stay as they are.
        relax: In [0, 1]: how near lengths are brought; 0 changes nothing.
        beta: In [0, 1): the factor of the running mean.
    """

    steps: Tensor

    def __init__(self, main: int = 0, relax: float = 0.7, beta: float = 0.9) -> None:
        whole_number(0, main=main)
        within("[0, 1]", relax=relax)
        within("[0, 1)", beta=beta)
        super().__init__()
        self.main, self.relax, self.beta = main, relax, beta

    def bind(self, num_tasks: int) -> None:
        task_index(num_tasks, main=self.main)
        super().bind(num_tasks)
        self.register_buffer("steps", torch.zeros(num_tasks, dtype=torch.int64))

    def forward(self, gramians: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        norms = gramians.diagonal(dim1=1, dim2=2).sqrt().mT  # [K, N]
        memory = self.remember(norms)
        memory[tasks] += (1 - self.beta) * (norms - memory[tasks])
        self.steps[tasks] += 1
        means = memory / (1 - self.beta ** self.steps.double())[:, None]  # NaN before a task's first step
        main, own = means[self.main], means[tasks]
        ratios = torch.where((main > 0) & (own > 0), main / own, 1.0)
        return (self.relax * ratios + 1 - self.relax).mT
