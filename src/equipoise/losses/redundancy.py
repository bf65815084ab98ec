"""Two views of a sample alike, and the dimensions of its features not copies of each other: no negatives needed.

VICReg: Bardes, Ponce, LeCun, ICLR 2022, eq. (1) to (6) and algorithm 1.
Barlow Twins: Zbontar et al., ICML 2021, eq. (1) and (2).
Both are of the whole batch: across processes, give them what ``gather_with_gradient`` returns.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_argument, wide
from equipoise.losses.features import both, products, require_pairs
from equipoise.losses.module import FunctionLoss

__all__ = ["BarlowTwinsLoss", "VICRegLoss", "barlow_twins", "vicreg"]


def vicreg(
    first: Tensor, second: Tensor, *, invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0
) -> Tensor:
    """Sum of invariance · s(Z, Z'), variance · (v(Z) + v(Z')) and covariance · (c(Z) + c(Z')).

    s is the mean squared difference, v the mean over dimensions of max(0, 1 − √(Var + 1e-4)), and c the sum of squared
    covariances of different dimensions / D; variances are unbiased. Of the N x N and the D x D products the smaller are
    made.

    Args:
        first: Features [N, D] of one view, N at least 2.
        second: Features [N, D] of the other.
        invariance: Weight of s, from 0.
        variance: Weight of v, from 0.
        covariance: Weight of c, from 0.

    Raises:
        ValueError: If shapes differ, the batch is of one sample, or a weight is negative.

    >>> vicreg(torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [3.0]]))  # 25 · 1, both variances are 2
    tensor(25.)
    """
    require_pairs(first, second, least=2)
    _require_weights(invariance, variance, covariance)
    first, second = wide(first), wide(second)
    loss = invariance * F.mse_loss(first, second)
    for view in (first, second):
        centred = view - view.mean(dim=0)
        variances, others = _diagonal_and_others(centred, centred, len(view) - 1)
        spread = (1 - (variances + 1e-4).sqrt()).relu().mean()
        loss = loss + variance * spread + covariance * others / view.shape[1]
    return loss


def barlow_twins(first: Tensor, second: Tensor, *, off_diagonal: float = 0.005) -> Tensor:
    """Σ_i (1 − C_ii)² + off_diagonal · Σ_{i≠j} C_ij², C the correlations over the batch of the views' dimensions.

    A dimension that does not vary has correlation 0. Of the N x N and the D x D products the smaller are made.

    Args:
        first: Features [N, D] of one view, N at least 2.
        second: Features [N, D] of the other.
        off_diagonal: Weight λ of the redundancy, from 0.

    Raises:
        ValueError: If shapes differ, the batch is of one sample, or the weight is negative.

    >>> barlow_twins(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [1.0]]))  # C = -1
    tensor(4.)
    """
    require_pairs(first, second, least=2)
    _require_off_diagonal(off_diagonal)
    correlations, others = _diagonal_and_others(_standardised(wide(first)), _standardised(wide(second)), len(first))
    return (1 - correlations).square().sum() + off_diagonal * others


def _diagonal_and_others(first: Tensor, second: Tensor, divisor: int) -> tuple[Tensor, Tensor]:
    """Of the matrix firstᵀ second / divisor: its diagonal [D], and the sum of the squares of all else."""
    if len(first) >= first.shape[1]:
        matrix = products(first.T, second.T) / divisor
        diagonal, squares = matrix.diagonal(), matrix.square().sum()
    else:  # the same sum of squares, of smaller matrices
        diagonal = (first * second).sum(dim=0) / divisor
        own = products(first, first)
        squares = (own * (own if second is first else products(second, second))).sum() / divisor**2
    return diagonal, squares - diagonal.square().sum()


def _standardised(features: Tensor) -> Tensor:
    """Each dimension with mean 0 and variance 1 over the batch; a constant one is 0."""
    varies = (features != features[:1]).any(dim=0)
    safe = torch.where(varies, features, 0.0)
    return F.batch_norm(safe, None, None, training=True, eps=torch.finfo(features.dtype).tiny)


def _require_weights(invariance: float, variance: float, covariance: float) -> None:
    require_argument("invariance", invariance, low=0.0)
    require_argument("variance", variance, low=0.0)
    require_argument("covariance", covariance, low=0.0)


def _require_off_diagonal(off_diagonal: float) -> None:
    require_argument("off_diagonal", off_diagonal, low=0.0)


class VICRegLoss(FunctionLoss):
    """``vicreg`` with its arguments."""

    function = staticmethod(vicreg)
    check = staticmethod(_require_weights)
    invariance: float = 25.0
    variance: float = 25.0
    covariance: float = 1.0

    def forward(self, features: tuple[Tensor, Tensor]) -> Tensor:
        """Of a pair of features [N, D], as ``eq.Task("views", VICRegLoss(), target=None)`` hands it over."""
        first, second = both(features)
        return vicreg(first, second, **self.arguments)


class BarlowTwinsLoss(FunctionLoss):
    """``barlow_twins`` with its arguments."""

    function = staticmethod(barlow_twins)
    check = staticmethod(_require_off_diagonal)
    off_diagonal: float = 0.005

    def forward(self, features: tuple[Tensor, Tensor]) -> Tensor:
        """Of a pair of features [N, D], as ``eq.Task("views", BarlowTwinsLoss(), target=None)`` hands it over."""
        first, second = both(features)
        return barlow_twins(first, second, **self.arguments)
