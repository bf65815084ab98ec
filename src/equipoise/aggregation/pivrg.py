"""PIVRG: fair gains for the tasks, larger for those that perform worse against their single-task baseline.

Qin, Wang, Yan, Revisiting Fairness in Multitask Learning: A Performance-Driven Approach for Variance Reduction,
CVPR 2025, and its official code; at equal performance it is ``FairGrad`` with alpha = 2.
"""

from collections.abc import Sequence
from math import log

import torch
from torch import Tensor

from equipoise.aggregation.solvers.fair import fair
from equipoise.arguments import one_per_task, within
from equipoise.method import Aggregator


class PIVRG(Aggregator):
    """weights w with G w = (s / w)^(1/2), s = p K softmax(Δ / temperature), Δ_k = 100 (baseline_k - result_k) / |.|.

    Δ_k, the task's loss of performance in percent, is 0 until ``balancer.observe()`` tells a result; p_k is the user's
    weight of the task. The temperature is max((max Δ - min Δ) / log bound, min_temperature), so no s is more than
    bound times another. All losses times c give the gradient times c^(-1/3). Where the tasks cannot all gain (a convex
    combination of the gradients is zero, or one of them), ``unsolved`` counts the step and d is of least norm.

    Args:
        baseline: Each task's single-task result, higher is better, in the tasks' order; not zero. Negated
            where ``lower_is_better`` negates the task's results.
        bound: Above 1.
        min_temperature: Positive, in percent.
    """

    user_weight = "preference"
    own_norm = "of the degree -1/3 in the gradients' norms, by definition"
    delta: Tensor

    def __init__(self, baseline: Sequence[float], bound: float = 2.0, min_temperature: float = 10.0) -> None:
        if not baseline or not all(0 < abs(value) < float("inf") for value in baseline):
            raise ValueError(f"baseline must hold a finite number other than zero for every task, got {baseline!r}")
        if not bound > 1:
            raise ValueError(f"bound must be above 1, got {bound}")
        within("(0, inf]", min_temperature=min_temperature)
        super().__init__()
        self.baseline = tuple(baseline)
        self.bound = bound
        self.min_temperature = min_temperature

    def bind(self, num_tasks: int) -> None:
        one_per_task(num_tasks, baseline=self.baseline)
        self.register_buffer("delta", torch.zeros(num_tasks, dtype=torch.float64))

    def observe(self, results: Tensor, tasks: Tensor) -> None:
        baseline = torch.tensor(self.baseline, dtype=torch.float64, device="cpu")[tasks]
        delta = 100 * (baseline - results) / baseline.abs()
        self.delta[tasks] = delta.where(delta.isfinite(), self.delta[tasks])

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        power, delta = self.preferred(tasks), self.delta[tasks]
        temperature = max(float(delta.max() - delta.min()) / log(self.bound), self.min_temperature)
        shares = power * len(delta) * torch.softmax(delta / temperature, dim=0)
        weights, residual = fair((gramian / power[:, None] / power).numpy(), 2.0, shares.numpy())
        self.certify(residual)
        return torch.from_numpy(weights) / power
