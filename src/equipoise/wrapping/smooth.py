"""Smooth: let weights follow a method's slowly, so that the noise of a batch does not decide.

Zhou et al., On the Convergence of Stochastic Multi-Objective Gradient Manipulation and Beyond (CR-MOGM),
NeurIPS 2022, algorithm 1; the bias correction is that of Adam, Kingma & Ba, ICLR 2015, algorithm 1.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from equipoise.arguments import within
from equipoise.wrapping.wrapper import GivesWeights, Wrapper


class Smooth(Wrapper):
    """weights_k = m_k / (1 - beta^t_k), with m_k <- beta m_k + (1 - beta) w_k and t_k its updates.

    w are the method's weights. The first step's weights are the method's own. What a method guarantees for
    one step (no conflict, descent for every task) its mean over steps guarantees no longer.

    Args:
        beta: In [0, 1): how slowly the weights follow; 0 changes nothing.
        method: A ``Weighting``, an ``Aggregator`` or a ``RowAggregator``.
    """

    mean: Tensor
    steps: Tensor

    def __init__(self, beta: float, method: GivesWeights) -> None:
        within("[0, 1)", beta=beta)
        super().__init__(method)
        self.beta = beta

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.register_buffer("mean", torch.zeros(num_tasks, dtype=self.precision))
        self.register_buffer("steps", torch.zeros(num_tasks, dtype=self.precision))

    def weigh(self, ask: Callable[[], Tensor], tasks: Tensor) -> Tensor:
        weights = ask().to(self.mean)
        finite = weights.isfinite()  # a loss that overflowed would spoil the mean for good
        self.mean[tasks] += ((1 - self.beta) * (weights - self.mean[tasks])).where(finite, 0.0)
        self.steps[tasks] += finite.to(self.steps)
        return self.mean[tasks] / (1 - self.beta ** self.steps[tasks])
