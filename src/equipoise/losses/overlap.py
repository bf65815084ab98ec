"""What overlap losses share: from three soft counts per class to a loss.

The counts are TP = Σ p t, Σ p and Σ t; FP = Σ p - TP, FN = Σ t - TP. Their sums run over the batch and space, or over
each sample's space.
"""

import torch
from torch import Tensor

from equipoise.losses.checks import require_argument


def tversky_of_counts(
    hits: Tensor, predicted: Tensor, actual: Tensor, alpha: float, beta: float, gamma: float, smooth: float
) -> Tensor:
    """(1 - TI)^(1 / gamma), TI = TP / (TP + alpha FP + beta FN), of TP, Σ p and Σ t, each [rows, C]."""
    # 1 - TI from its misses: TP + ... - TP would leave only rounding where all is right
    missed = alpha * (predicted - hits).clamp(min=0) + beta * (actual - hits).clamp(min=0)
    total = hits + missed + smooth
    losses = missed / torch.where(total > 0, total, 1)
    if gamma != 1:
        # the power is infinitely steep at 0, where nothing is left to learn
        losses = torch.where(losses > 0, losses, 1).pow(1 / gamma) * (losses > 0)
    return mean_over_present(losses, actual > 0)


def mean_over_present(losses: Tensor, present: Tensor) -> Tensor:
    """Mean over the rows that have anything present of their mean over what is present; both [rows, C]. Else 0."""
    row_means = (losses * present).sum(dim=1) / present.sum(dim=1).clamp(min=1)
    return row_means.sum() / present.any(dim=1).sum().clamp(min=1)


def require_prices(alpha: float = 0.5, beta: float = 0.5, gamma: float = 1.0, smooth: float = 0.0) -> None:
    """Raise unless all are in their ranges."""
    require_argument("alpha", alpha, low=0.0)
    require_argument("beta", beta, low=0.0)
    require_argument("gamma", gamma, low=0.0, open_low=True)
    require_argument("smooth", smooth, low=0.0)
