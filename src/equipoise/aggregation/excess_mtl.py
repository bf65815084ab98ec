"""ExcessMTL: weigh up the tasks that are furthest from converged, not those whose labels are noisy.

He et al., Robust Multi-Task Learning with Excess Risks, ICML 2024, eqs. (6), (7), (9) and section 3.2.
"""

import torch
from torch import Tensor

from equipoise.aggregation.pieces import pieces
from equipoise.aggregation.row_memory import RowMemory
from equipoise.arguments import within
from equipoise.method import RowAggregator


class ExcessMTL(RowMemory, RowAggregator):
    """alpha_k <- alpha_k exp(step_size e_k / e_k0) / sum, e_k = sum_p g_kp^2 / H_kp; gradient = sum_k alpha_k g_k.

    H_kp^2 = the sum of g_kp^2 over all steps so far, and e_k0 is the mean e_k of the task's first
    ``warmup`` steps, in which e_k / e_k0 counts as 1. alpha starts uniform and has sum 1; the tasks
    present share among them what alpha they had, and the gradient is their average. Steps with a zero
    gradient warm nothing up. A task keeps P numbers of state.

    Args:
        step_size: Positive; of the exponentiated ascent.
        warmup: Steps, at least 1 as in the official code; the paper takes those of three epochs; infinite: always.
    """

    is_mean = True  # alpha of the tasks present, whatever its state, is made to sum to one
    log_weights: Tensor
    initial: Tensor
    steps: Tensor

    def __init__(self, step_size: float = 0.01, warmup: int = 1) -> None:
        within("(0, inf)", step_size=step_size)
        within("[1, inf]", warmup=warmup)
        super().__init__()
        self.step_size, self.warmup = step_size, warmup

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)  # H
        self.register_buffer("log_weights", torch.full((num_tasks,), 1 / num_tasks, dtype=torch.float64).log())
        self.register_buffer("initial", torch.zeros(num_tasks, dtype=torch.float64))  # e_k0, times the steps so far
        self.register_buffer("steps", torch.zeros(num_tasks, dtype=torch.int64))  # of the warm-up

    def row_weights(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        excess = self.initial.new_zeros(len(tasks))
        with self.remembered(jacobian, tasks) as roots:
            for piece in pieces(jacobian):
                size = jacobian[:, piece].to(roots)
                root = roots[:, piece].hypot_(size)
                terms = (size / root).nan_to_num_(0.0).mul_(size)  # 0 / 0 where there never was a gradient
                excess += terms.sum(dim=1, dtype=torch.float64)
        warm = self.steps[tasks] == self.warmup
        relative = torch.where(warm, excess * self.warmup / self.initial[tasks], 1.0)
        counts = ~warm & (excess > 0)
        self.initial[tasks] += excess.where(counts, 0.0)
        self.steps[tasks] += counts.to(self.steps)
        before = self.log_weights[tasks]
        after = torch.log_softmax(before + self.step_size * relative, dim=0)
        self.log_weights[tasks] = after + before.logsumexp(dim=0)
        return after.exp()
