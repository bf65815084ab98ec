"""Plateau: a task that has stopped improving counts less.

A rule, no paper: for the weights of tasks what torch.optim.lr_scheduler.ReduceLROnPlateau is for the learning rate.
"""

import torch
from torch import Tensor

from equipoise.arguments import whole_number, within
from equipoise.method import Weighting
from equipoise.weighting.results import rose_and_fell


class Plateau(Weighting):
    """weight_k = K f_k / sum f, with f_k <- max(factor f_k, floor) after ``patience`` evaluations without a gain.

    An evaluation is a call of ``balancer.observe``: higher is better, but for tasks in ``lower_is_better``. A gain is a
    result above the task's best by more than ``delta`` · abs(best). A task whose results get worse, as one that
    overfits, has no gain and stays lowered. With ``restore`` a lowered task that falls below its best by more than
    ``restore`` · abs(best) gets f_k = 1 back, and waits anew: for tasks that others make forget, and above the noise of
    a validation. K counts the tasks present in the step, whose weights have mean 1: where all tasks have stopped
    improving, weights stay 1, and the learning rate is what to lower.

    Args:
        factor: In (0, 1): what is left of f_k.
        patience: Evaluations in a row without a gain; those count anew after each change.
        delta: Not negative.
        floor: In (0, 1]: the smallest f_k.
        restore: Not negative, as 0.005; ``None`` never restores.
    """

    best: Tensor
    waiting: Tensor
    share: Tensor

    def __init__(
        self,
        factor: float = 0.5,
        patience: int = 3,
        delta: float = 1e-3,
        floor: float = 0.05,
        restore: float | None = None,
    ) -> None:
        super().__init__()
        within("(0, 1)", factor=factor)
        whole_number(1, patience=patience)
        within("[0, inf]", delta=delta)
        if restore is not None and not restore >= 0:
            raise ValueError(f"restore must not be negative, or None, got {restore!r}")
        within("(0, 1]", floor=floor)
        self.factor, self.patience, self.delta, self.floor, self.restore = factor, patience, delta, floor, restore

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("best", torch.full((num_tasks,), torch.nan))
        self.register_buffer("waiting", torch.zeros(num_tasks))  # evaluations without a gain
        self.register_buffer("share", torch.ones(num_tasks))  # f_k

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        known = results.isfinite()
        results, tasks = results[known].to(self.best), tasks[known].to(self.best.device)
        best, share = self.best[tasks], self.share[tasks]
        rose, fell = rose_and_fell(best, results, self.delta, torch.inf if self.restore is None else self.restore)
        back = fell & (share < 1)
        waiting = (self.waiting[tasks] + 1).where(~rose, 0.0)
        due = waiting >= self.patience
        lowered = (self.factor * share).clamp(min=self.floor)
        self.share[tasks] = lowered.where(due, share).where(~back, 1.0)
        self.waiting[tasks] = waiting.where(~(due | back), 0.0)
        self.best[tasks] = results.where(rose, best)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        share = self.share[tasks]
        return (share / share.mean()).to(losses) @ losses
