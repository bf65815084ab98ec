"""GO4Align: tasks that stand alike in scaled risk form a group, and a group has one weight.

Shen et al., GO4Align: Group Optimization for Multi-Task Alignment, NeurIPS 2024, section 3, in the form of its
public code.
"""

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.solvers.clusters import clusters
from equipoise.arguments import whole_number, within
from equipoise.method import Weighting
from equipoise.weighting.signs import positive


class GO4Align(Weighting):
    """weight_k = mean over k's group of p_i sum(loss) / loss_i, with p_i <- p_i exp(-rate loss_i), of sum 1, before.

    The groups are those of k-means on these numbers, here exact. The losses in them are those without the users'
    weights, which scale the result. The tasks of a step exchange what they hold of p, so an absent one keeps its own.
    Every loss must be positive. The groups are found on the CPU: with losses elsewhere, every step waits for them.

    Args:
        groups: How many, at least 1, which gives all tasks one weight; at most K, and then each has its own.
        rate: Not negative, one over a loss.
    """

    def __init__(self, groups: int = 2, rate: float = 1e-4) -> None:
        super().__init__()
        whole_number(1, groups=groups)
        within("[0, inf)", rate=rate)
        self.groups = groups
        self.rate = rate

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("log_p", torch.zeros(num_tasks))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        shown = positive(losses.detach(), tasks, self).double() / self.preferred(tasks).to(losses.device)
        raw, old = torch.stack([shown, self.log_p[tasks].to(shown)]).cpu().numpy()
        new = old - self.rate * np.where(np.isfinite(raw), raw, 0.0)
        shares = np.exp(new - new.max())
        shares /= shares.sum()
        held = np.log(np.exp(old - old.max()).sum()) + old.max()
        self.log_p[tasks] = torch.from_numpy(np.log(shares) + held).to(self.log_p)
        if not np.isfinite(raw).all():
            return losses.sum()
        indicators = shares * raw.sum() / raw
        centres, _ = clusters(indicators, self.groups)
        return torch.sum(torch.from_numpy(centres).to(losses) * losses)
