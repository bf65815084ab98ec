"""An exponential moving average of a network's weights.

Polyak, Juditsky, Acceleration of Stochastic Approximation by Averaging, SIAM J. Control and Optimization 30(4), 1992;
in this form Tarvainen, Valpola, Mean teachers are better role models, NeurIPS 2017, eq. (1).
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel


def averaged(network: nn.Module, beta: float) -> AveragedModel:
    """A copy of the network with w <- beta w + (1 - beta) theta at each ``update_parameters(network)``.

    The first update copies. Statistics of batch normalisation are averaged like weights; whole numbers are copied.
    """
    return AveragedModel(network, multi_avg_fn=partial(_mean, beta), use_buffers=True)


@torch.no_grad()
def _mean(beta: float, average: Sequence[Tensor], now: Sequence[Tensor], _: Any) -> None:
    for mean, tensor in zip(average, now, strict=True):
        if mean.is_floating_point() or mean.is_complex():
            mean.lerp_(tensor, 1 - beta)
        else:
            mean.copy_(tensor)  # a mean of indices or counts would be cut to a whole number
