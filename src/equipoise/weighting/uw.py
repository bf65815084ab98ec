"""Uncertainty weighting: each task's noise is learned, and a noisy task counts less.

Kendall, Gal, Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses, CVPR 2018, eqs. (5), (10).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from equipoise.arguments import one_per_task
from equipoise.method import Weighting

_FACTORS = {"regression": 0.5, "classification": 1.0}


class UW(Weighting):
    """objective = sum_k c_k exp(-s_k) loss_k + s_k / 2, s_k = log σ_k² learned; c = 1/2 (regression) or 1.

    The objective may become negative: that is its definition, and the balancer reports the total. Give
    the log-variances to the optimiser, best without weight decay. A task that is absent from a step has a
    zero gradient there; an optimiser with momentum still moves its s_k on.

    Args:
        form: ``"regression"`` (Gaussian likelihood, eq. 5) or ``"classification"`` (softmax likelihood,
            eq. 10) for all tasks, or one of them per task.
        initial: The s_k at the start.
    """

    user_weight = "ignored"  # at its optimum s_k absorbs any constant factor of loss_k
    own_norm = "learned"

    def __init__(self, form: str | Sequence[str] = "regression", initial: float = 0.0) -> None:
        super().__init__()
        for one in [form] if isinstance(form, str) else form:
            if one not in _FACTORS:
                raise ValueError(
                    f"form must be 'regression' or 'classification', or a list in the tasks' order, got {form!r}"
                )
        self.form = form
        self.initial = initial

    def bind(self, num_tasks: int) -> None:
        forms = [self.form] * num_tasks if isinstance(self.form, str) else list(self.form)
        one_per_task(num_tasks, form=forms)
        self.register_buffer("factor", torch.tensor([_FACTORS[form] for form in forms]), persistent=False)
        self.log_variance = nn.Parameter(torch.full((num_tasks,), float(self.initial)))

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        log_variance = self.log_variance[tasks]
        return torch.sum(self.factor[tasks] * torch.exp(-log_variance) * losses + log_variance / 2)
