"""Dynamic stop-and-go: a task that has converged rests, and trains again when it starts to forget.

Lu et al., 12-in-1: Multi-Task Vision and Language Representation Learning, CVPR 2020
(dynamic stop-and-go).
"""

import torch
from torch import Tensor

from equipoise.arguments import whole_number, within
from equipoise.method import Weighting
from equipoise.weighting.results import rose_and_fell


class StopAndGo(Weighting):
    """weight_k = 1 while task k goes; while it is stopped 0, but for every ``gap``-th step.

    A task stops when ``patience`` evaluations in a row (calls of ``balancer.observe``: higher is better, but for tasks
    in ``lower_is_better``) did not raise its best result by more than ``gain`` · abs(best), and goes again when it then
    falls below its best by more than ``drop`` · abs(best). The buffer ``stopped`` [K] tells which ones may be left out
    of a batch to save time.

    Args:
        gain: Not negative.
        patience: Evaluations, epochs in the paper.
        drop: Not negative.
        gap: Steps; 1 never lets a task rest.
    """

    best: Tensor
    waiting: Tensor
    stopped: Tensor
    step: Tensor

    def __init__(self, gain: float = 1e-3, patience: int = 2, drop: float = 5e-3, gap: int = 4) -> None:
        super().__init__()
        within("[0, inf]", gain=gain, drop=drop)
        whole_number(1, patience=patience, gap=gap)
        self.gain, self.patience, self.drop, self.gap = gain, patience, drop, gap

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("best", torch.full((num_tasks,), torch.nan))
        self.register_buffer("waiting", torch.zeros(num_tasks))  # evaluations without a gain
        self.register_buffer("stopped", torch.zeros(num_tasks, dtype=torch.bool))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        known = results.isfinite()
        results, tasks = results[known].to(self.best), tasks[known].to(self.best.device)
        best = self.best[tasks]
        rose, fell = rose_and_fell(best, results, self.gain, self.drop)
        goes = self.stopped[tasks] & fell
        waiting = (self.waiting[tasks] + 1).where(~(rose | goes), 0.0)
        self.stopped[tasks] = (self.stopped[tasks] | (waiting >= self.patience)) & ~goes
        self.waiting[tasks] = waiting
        self.best[tasks] = results.where(rose, best)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        rests = self.stopped[tasks] & (self.step % self.gap != 0)
        self.step += 1
        return losses.where(~rests, 0.0).sum()
