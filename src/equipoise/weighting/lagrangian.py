"""Lagrangian: train the main tasks under limits on the others.

Arrow, Hurwicz, Uzawa, Studies in Linear and Non-Linear Programming, 1958; for networks, Platt & Barr, Constrained
Differential Optimization, NeurIPS 1987, section 3.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.arguments import one_per_task, within
from equipoise.method import Weighting


class Lagrangian(Weighting):
    """objective = sum_main loss_k + sum_limited λ_k (loss_k - limit_k), λ_k <- max(0, λ_k + rate (loss_k - limit_k)).

    A multiplier starts at 0 and moves after it is used: a task within its limit is not trained, and one beyond it
    more and more, until it is within. A limit is in the units of the loss without the user's weight, which scales
    the whole term.

    Args:
        limits: One per task in the tasks' order; None for a main task, of which there must be one.
        rate: Positive, how fast the multipliers move per step.
    """

    own_norm = "by the multipliers, which grow until limits are kept"

    def __init__(self, limits: Sequence[float | None], rate: float = 0.01) -> None:
        super().__init__()
        if None not in limits or any(limit is not None and not abs(limit) < float("inf") for limit in limits):
            raise ValueError(f"limits must be finite, and None for at least one main task, got {list(limits)!r}")
        within("(0, inf]", rate=rate)
        self.limits = tuple(limits)
        self.rate = rate

    def bind(self, num_tasks: int) -> None:
        one_per_task(num_tasks, limits=self.limits)
        limit = torch.tensor([torch.nan if one is None else one for one in self.limits])  # NaN: a main task
        self.register_buffer("limit", limit, persistent=False)
        self.register_buffer("multiplier", torch.zeros(num_tasks).where(~limit.isnan(), 1.0))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        multiplier = self.multiplier[tasks]
        limit = self.limit[tasks] * self.preferred(tasks).to(losses.device)
        excess = losses - limit.where(~limit.isnan(), 0.0)
        step = self.rate * excess.detach().to(multiplier)
        step = step.where(step.isfinite() & ~limit.isnan(), 0.0)
        self.multiplier[tasks] = (multiplier + step).clamp(min=0.0)
        return torch.sum(multiplier * excess)
