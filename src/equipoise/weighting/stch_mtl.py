"""STCH for deep multi-task learning: a smooth maximum of log losses, each relative to an early epoch.

The public code of Lin et al., Smooth Tchebycheff Scalarization for Multi-Objective Optimization, ICML 2024
(Xi-L/STCH, STCH_MTL), which differs from the paper's eq. (6): see ``STCH``.
"""

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting
from equipoise.weighting.epoch_mean import EpochMean
from equipoise.weighting.signs import positive


class STCHMTL(Weighting):
    """objective = K mu log sum_k (loss_k / nadir_k)^(1 / mu), nadir_k the task's mean loss of epoch ``warmup``.

    weight_k = K softmax_k(log(loss / nadir) / mu) / loss_k. Until that epoch has ended, counted from 0 and by
    ``balancer.end_epoch()``, nadir_k is loss_k itself: the weights are those of ``LogSum``. Every loss must be
    positive.

    Args:
        mu: Positive; a small one comes near to the maximum.
        warmup: The epoch whose mean loss is the nadir, not negative; infinite: never.
    """

    user_weight = "ignored"
    own_norm = "of relative change: gradients over losses"

    def __init__(self, mu: float = 1.0, warmup: int = 4) -> None:
        super().__init__()
        within("(0, inf]", mu=mu)
        within("[0, inf]", warmup=warmup)
        self.mu = mu
        self.warmup = warmup

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("nadir", torch.full((num_tasks,), torch.nan))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))
        self.epoch = EpochMean(num_tasks)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        self.epoch.add(losses, tasks)
        nadir = self.nadir[tasks]
        ratios = positive(losses, tasks, self) / nadir.where(nadir.isfinite(), losses.detach())
        return len(losses) * self.mu * torch.logsumexp(ratios.log() / self.mu, dim=0)

    def end_epoch(self) -> None:
        mean = self.epoch.take()
        due = (self.epochs >= self.warmup) & ~self.nadir.isfinite()  # later for a task absent in that epoch
        self.nadir.copy_(mean.where(due, self.nadir))
        self.epochs += 1
