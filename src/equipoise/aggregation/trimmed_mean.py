"""Trimmed mean: in every coordinate, average what is left without the extremes.

Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018, definition 2.
"""

from torch import Tensor

from equipoise.method import CoordinateAggregator


class TrimmedMean(CoordinateAggregator):
    """gradient_p = the mean of g_1p … g_Kp without the b largest and the b smallest, b = min(trim, (K - 1) // 2).

    A mean, as in the paper, not a sum: K equal gradients give that gradient. K counts the tasks present,
    and with few of them at least the middle one or two are kept. With ``trim=0`` it is the plain mean.
    """

    def __init__(self, trim: int = 1) -> None:
        if trim < 0:
            raise ValueError(f"trim must not be negative, got {trim}")
        super().__init__()
        self.trim = trim

    def bind(self, num_tasks: int) -> None:
        if 2 * self.trim >= num_tasks:
            raise ValueError(f"trim={self.trim} leaves none of {num_tasks} tasks: take less than half of their number")

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        trim = min(self.trim, (len(jacobian) - 1) // 2)
        return jacobian.sort(dim=0).values[trim : len(jacobian) - trim].mean(dim=0)
