"""NTKMTL: weigh a task by how slowly its neural tangent kernel lets it converge.

Qin et al., NTKMTL: Mitigating Task Imbalance in Multi-Task Learning from Neural Tangent Kernel Perspective, NeurIPS
2025 (arXiv 2510.18258), with n = 1, as in the paper's comparison: a task's kernel is then the
squared norm of its gradient.
"""

from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Aggregator


class NTKMTL(Aggregator):
    """weights_k = (mean_j |g_j|^2 / |g_k|^2)^exponent.

    A gradient that is exactly zero keeps weight 1. With the exponent 1/2 all gradients get one length, their root
    mean square.

    Args:
        exponent: Positive; the paper derives 1/2, and its code also suggests 3/4.
    """

    user_weight = "ignored"

    def __init__(self, exponent: float = 0.5) -> None:
        within("(0, inf)", exponent=exponent)
        super().__init__()
        self.exponent = exponent

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        squared = gramian.diagonal()
        return (squared.mean() / squared).where(squared > 0, 1.0) ** self.exponent
