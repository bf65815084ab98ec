"""FAMO: learn the weights at which all log losses fall at the same rate, from losses before and after a step.

Liu et al., FAMO: Fast Adaptive Multitask Optimization, NeurIPS 2023, algorithm 1; with Adam for the logits, as in
the authors' experiments.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Weighting
from equipoise.weighting.scalarisation import numbers
from equipoise.weighting.signs import positive

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # Adam's; the logits' gradients have no unit


class FAMO(Weighting):
    """objective = c sum_k z_k log D_k, z = softmax(logits), D = loss - minimum, c = 1 / sum_i (z_i / D_i).

    c and z are held fixed in the gradient, so the weights c z_k / D_k sum to 1. After the optimiser's step the losses
    of the same batch go to ``balancer.after_step(...)``: a task whose log loss fell by less than the z-weighted mean
    gains weight. Without that call the weights stay those of equal z. Every D must be positive.

    Args:
        lr: Adam's learning rate for the logits.
        decay: The regulariser that pulls them to equal weights (the paper's gamma).
        minimum: A lower bound of each loss without its user's weight, one number per task; by default 0.
    """

    user_weight = "ignored"
    is_mean = True  # the weights sum to one

    def __init__(self, lr: float = 0.025, decay: float = 1e-3, minimum: Sequence[float] | None = None) -> None:
        super().__init__()
        within("[0, inf)", lr=lr, decay=decay)
        self.lr = lr
        self.decay = decay
        self.minimum = minimum if minimum is None else tuple(minimum)

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("bound", numbers("minimum", self.minimum, num_tasks, 0.0), persistent=False)
        for name in ("logits", "first_moment", "second_moment", "steps"):
            self.register_buffer(name, torch.zeros(num_tasks, dtype=torch.float64))
        self.register_buffer("before", torch.full((num_tasks,), torch.nan, dtype=torch.float64))  # D

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        gap = self._gap(losses, tasks)
        self.before[tasks] = gap.detach().to(self.before)
        shares = torch.softmax(self.logits[tasks], dim=0)
        return torch.sum(shares * gap.log()) / torch.sum(shares / gap.detach())

    def after_step(self, losses: Tensor, tasks: Tensor) -> None:
        gain = torch.log(self.before[tasks] / self._gap(losses.detach(), tasks))
        gain = gain.nan_to_num(0.0, 0.0, 0.0)  # no forward pass with this task, or a loss that is not finite
        logits = self.logits[tasks]
        shares = torch.softmax(logits, dim=0)
        gradient = shares * (gain - torch.sum(shares * gain)) + self.decay * logits
        self.steps[tasks] += 1
        for moment, beta, value in (
            (self.first_moment, _BETAS[0], gradient),
            (self.second_moment, _BETAS[1], gradient.square()),
        ):
            moment[tasks] = beta * moment[tasks] + (1 - beta) * value
        first = self.first_moment[tasks] / (1 - _BETAS[0] ** self.steps[tasks])
        second = self.second_moment[tasks] / (1 - _BETAS[1] ** self.steps[tasks])
        self.logits[tasks] = logits - self.lr * first / (second.sqrt() + _EPSILON)

    def _gap(self, losses: Tensor, tasks: Tensor) -> Tensor:
        if self.minimum is not None:
            losses = losses - self.preferred(tasks).to(losses) * self.bound[tasks]
        return positive(losses, tasks, self)
