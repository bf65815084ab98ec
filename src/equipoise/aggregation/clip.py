"""Clip: bound the norm of each task's gradient before they are combined.

Pascanu, Mikolov, Bengio, On the Difficulty of Training Recurrent Neural Networks, ICML 2013, algorithm 1,
applied to each task alone.
"""

from torch import Tensor

from equipoise.arguments import within
from equipoise.method import Aggregator


class Clip(Aggregator):
    """weights_k = min(1, max_norm / |g_k|).

    ``max_norm`` is in the units of the gradient, so this is the one transform that a rescaling
    of all losses changes.
    """

    def __init__(self, max_norm: float) -> None:
        within("(0, inf]", max_norm=max_norm)
        super().__init__()
        self.max_norm = max_norm

    def forward(self, gramian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return (self.max_norm / gramian.diagonal().sqrt()).clamp(max=1.0)
