"""EnCodec's loss balancer: a task's weight is the fraction of the gradient that it shall have.

Défossez et al., High Fidelity Neural Audio Compression, TMLR 2023, section 3.4 (loss balancer); with a
``representation``, the gradients at the output of the model, as there.
"""

from torch import Tensor

from equipoise.aggregation.running_norm import RunningNorm
from equipoise.arguments import within


class EnCodec(RunningNorm):
    """weights_k = norm · p_k / sum_j p_j / m_k, with m_k the running mean of |g_k| that ``RunningNorm`` keeps.

    p_k is the user's weight of the task. The norms are those of whole gradients, where the official code means over
    the samples of a batch.

    Args:
        norm: R, the length of the balanced gradient if all were parallel.
        beta: The running mean's factor.
    """

    own_norm = "`norm`, if all gradients are parallel"

    def __init__(self, norm: float = 1.0, beta: float = 0.999) -> None:
        within("(0, inf)", norm=norm)
        super().__init__(beta)
        self.norm = norm

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return super().forward(gramian, losses, tasks) * self.norm / self.preferred(tasks).sum()
