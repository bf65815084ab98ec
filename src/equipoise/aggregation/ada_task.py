"""AdaTask: a learning rate per task and parameter, by moments of Adam that no task shares with another.

Yang et al., AdaTask: A Task-Aware Adaptive Learning Rate Approach to Multi-Task Learning, AAAI 2023 (arXiv
2211.15055), with Adam (Kingma & Ba, ICLR 2015, algorithm 1).
"""

from typing import ClassVar

import torch
from torch import Tensor

from equipoise.aggregation.pieces import pieces
from equipoise.aggregation.row_memory import RowMemory
from equipoise.arguments import each_within, within
from equipoise.method import CoordinateAggregator


class AdaTask(RowMemory, CoordinateAggregator):
    """update = sum_k p_k m_k / (sqrt(v_k) + eps): Adam's update for every task's gradient on its own.

    m_k and v_k are the bias-corrected running means of g_k and of its square, p_k is the user's weight of the task; an
    absent task adds nothing, and its state stands still. The optimiser is part of this method: what it returns is an
    update, so give the shared parameters to ``torch.optim.SGD`` without momentum, with Adam's learning rate. A head
    gets its gradient, and may have Adam. A task keeps 2 P numbers of state.

    Args:
        betas: Adam's factors of the running means, each in [0, 1).
        eps: Adam's epsilon: updates of entries whose sqrt(v_k) is smaller fade. With 0 the scale of a loss does not
            matter, and an entry that never had a gradient is not updated.
    """

    own_norm = "that of Adam's updates"
    memories: ClassVar = ("mean", "root")  # m, and sqrt(v): v itself could underflow; neither bias-corrected
    user_weight = "preference"
    returns_update = True
    steps: Tensor

    def __init__(self, betas: tuple[float, float] = (0.9, 0.999), eps: float = 0.0) -> None:
        if len(betas) != 2:
            raise ValueError(f"betas must be two numbers, got {betas!r}")
        each_within("[0, 1)", betas=betas)
        within("[0, inf)", eps=eps)
        super().__init__()
        self.betas, self.eps = betas, eps

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.register_buffer("steps", torch.zeros(num_tasks, dtype=torch.int64))

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        beta1, beta2 = self.betas
        steps = self.steps[tasks] + 1
        self.steps[tasks] = steps
        steps = steps.double()
        preferred = self.preferred(tasks).to(steps.device)  # tasks are numbered on the CPU
        factors = preferred / (1 - beta1**steps)  # [K], with the bias correction of m
        with self.remembered(jacobian, tasks, "mean") as means, self.remembered(jacobian, tasks, "root") as roots:
            corrections = (1 - beta2**steps).sqrt().to(roots)[:, None]  # [K, 1], of v
            factors, update = factors.to(means), torch.empty_like(means[0])  # [P]
            for piece in pieces(jacobian):
                rows = jacobian[:, piece].to(means)
                mean = means[:, piece].lerp_(rows, 1 - beta1)
                root = roots[:, piece].mul_(beta2**0.5).hypot_((1 - beta2) ** 0.5 * rows)
                quotients = root / corrections + self.eps
                quotients.masked_fill_(quotients == 0, 1.0)
                update[piece] = factors @ torch.div(mean, quotients, out=quotients)
            return update.to(jacobian)
