"""GradDrop: in every coordinate keep the gradients of one sign, drawn with the odds of their sums.

Chen et al., Just Pick a Sign: Optimizing Deep Multitask Models with Gradient Sign Dropout, NeurIPS 2020,
eq. (1) and algorithm 1, on gradients by parameters, with f the identity.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from equipoise.aggregation.pieces import pieces
from equipoise.arguments import each_within, one_per_task, whole_number, within
from equipoise.method import CoordinateAggregator


class GradDrop(CoordinateAggregator):
    """gradient = sum_k (leak_k + (1 - leak_k) M_k) g_k, M_k = [g_k > 0] where U < P, else [g_k < 0].

    P = (1 + sum_k g_k / sum_k |g_k|) / 2 in every coordinate, and U is uniform on [0, 1]: with equal leaks the
    mean over U is the sum of the gradients. The draw of a step follows from ``seed`` and the number of the
    step, so every process on the same kind of device draws the same.

    Args:
        leak: What passes of a gradient whatever its sign, in [0, 1]; one number, or one per task.
        seed: Of the draws.
    """

    leaks: Tensor
    step: Tensor

    def __init__(self, leak: float | Sequence[float] = 0.0, seed: int = 0) -> None:
        (within if isinstance(leak, float | int) else each_within)("[0, 1]", leak=leak)
        whole_number(0, seed=seed)
        super().__init__()
        self.leak = leak if isinstance(leak, float | int) else tuple(leak)
        self.seed = seed
        self.register_buffer("step", torch.zeros((), dtype=torch.int64, device="cpu"))

    def bind(self, num_tasks: int) -> None:
        if isinstance(self.leak, tuple):
            one_per_task(num_tasks, leak=self.leak)
        self.register_buffer("leaks", torch.tensor(self.leak).expand(num_tasks).clone(), persistent=False)

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        leaks = self.leaks[tasks].to(jacobian)
        drawn = self._draw(jacobian[0].to(torch.promote_types(jacobian.dtype, torch.float32)))
        return torch.cat([_dropped(jacobian[:, piece], drawn[piece], leaks) for piece in pieces(jacobian)])

    def _draw(self, like: Tensor) -> Tensor:
        """Numbers U [P]."""
        key = np.random.SeedSequence((self.seed, int(self.step))).generate_state(1, np.uint64)
        self.step += 1
        generator = torch.Generator(like.device).manual_seed(int(key[0]))
        return torch.rand(like.shape, generator=generator, dtype=like.dtype, device=like.device)


def _dropped(rows: Tensor, uniform: Tensor, leaks: Tensor) -> Tensor:
    """The gradient of some coordinates."""
    signed, passing = rows.clamp(min=0), 1 - leaks
    above, positive = signed.sum(dim=0, dtype=uniform.dtype), passing @ signed
    torch.clamp(rows, max=0, out=signed)
    below, negative = signed.sum(dim=0, dtype=uniform.dtype), passing @ signed
    return leaks @ rows + torch.where(uniform < above / (above - below), positive, negative)  # NaN for zeros
