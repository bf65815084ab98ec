"""Median: in every coordinate, the gradient that as many tasks exceed as fall short of.

Yin et al., Byzantine-Robust Distributed Learning: Towards Optimal Statistical Rates, ICML 2018, definition 1.
"""

from torch import Tensor

from equipoise.aggregation.trimmed_mean import trimmed_mean
from equipoise.method import CoordinateAggregator


class Median(CoordinateAggregator):
    """gradient_p = the median of g_1p … g_Kp; of an even number, the mean of the two in the middle.

    As large as one task's gradient, not as their sum: K equal gradients give that gradient.
    """

    is_mean = True  # it is as large as one task's gradient

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        return trimmed_mean(jacobian, (len(jacobian) - 1) // 2)
