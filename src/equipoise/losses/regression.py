"""Regression losses: root mean square, log-cosh, quantiles, and errors with a predicted spread.

Quantiles: Koenker and Bassett, Regression Quantiles, Econometrica 1978. Predicted spreads: Nix and Weigend, Estimating
the Mean and Variance of the Target Probability Distribution, ICNN 1994; Kendall and Gal, What Uncertainties Do We Need
in Bayesian Deep Learning for Computer Vision?, NeurIPS 2017, eq. (5).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_alike, require_dim, require_floating, require_same_shape, sees_values, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced

__all__ = [
    "GaussianNLLLoss",
    "LaplaceNLLLoss",
    "LogCoshLoss",
    "PinballLoss",
    "RMSELoss",
    "gaussian_nll",
    "laplace_nll",
    "log_cosh",
    "pinball",
    "rmse",
]


def rmse(prediction: Tensor, target: Tensor) -> Tensor:
    """sqrt(mean (prediction - target)^2) over all elements; a perfect prediction has a gradient of 0.

    Args:
        prediction: Of any shape.
        target: Of the same shape.

    Raises:
        ValueError: If shapes differ, or one is not floating point.

    >>> rmse(torch.tensor([3.0, 4.0]), torch.tensor([0.0, 0.0]))  # sqrt(25 / 2)
    tensor(3.5355)
    """
    _require_pair(prediction, target)
    mean_square = F.mse_loss(wide(prediction), wide(target))
    perfect = mean_square == 0
    return mean_square.masked_fill(perfect, 1.0).sqrt().masked_fill(perfect, 0.0)


def log_cosh(prediction: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Elementwise log cosh(prediction - target): half the square of small errors, the absolute value of large ones.

    Args:
        prediction: Of any shape.
        target: Of the same shape.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or one is not floating point.

    >>> log_cosh(torch.tensor([1.0]), torch.tensor([0.0]))  # log((e + 1/e) / 2)
    tensor(0.4338)
    """
    _require_pair(prediction, target)
    size = (wide(prediction) - wide(target)).abs()
    return reduced(size + F.softplus(-2 * size) - math.log(2), reduction)  # log((e^x + e^-x) / 2) without e^|x|


def pinball(
    prediction: Tensor,
    target: Tensor,
    *,
    quantiles: float | Sequence[float] | Tensor = 0.5,
    reduction: Reduction = "mean",
) -> Tensor:
    """max(q x, (q - 1) x) with x = target - prediction for every quantile q; its mean is least at the q-quantile.

    Args:
        prediction: [..., Q], a value for each quantile; [...] if ``quantiles`` is one number.
        target: [...].
        quantiles: In (0, 1): one number, or Q of them (in a sequence, or a tensor on the prediction's device).
        reduction: As in torch; the elements are those of ``prediction``.

    Raises:
        ValueError: If shapes do not match, or a quantile is outside (0, 1).

    >>> pinball(torch.tensor([[1.0, 5.0]]), torch.tensor([3.0]), quantiles=(0.1, 0.9), reduction="none")
    tensor([[0.2000, 0.2000]])
    """
    require_floating(prediction=prediction, target=target)
    levels = quantiles if isinstance(quantiles, Tensor) else _levels(quantiles, prediction)
    _require_levels(levels)
    if levels.dim() == 0:
        require_same_shape(prediction=prediction, target=target)
    else:
        _require_quantiles_last(prediction, target, len(levels))
        target = target.unsqueeze(-1)
    error = wide(target) - wide(prediction)
    levels = levels.to(error.dtype)
    return reduced(levels * error.relu() + (1 - levels) * (-error).relu(), reduction)


def gaussian_nll(mean: Tensor, log_scale: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """((target - mean) / s)^2 / 2 + log s + log(2 pi) / 2, elementwise; s = exp(log_scale), the standard deviation.

    With the constant; torch's ``GaussianNLLLoss`` leaves it out unless ``full=True``, and takes a variance.

    Args:
        mean: Of any shape.
        log_scale: Logarithm of the standard deviation, of the same shape; below -40 squares overflow float32.
        target: Of the same shape.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or one is not floating point.

    >>> gaussian_nll(torch.zeros(1), torch.zeros(1), torch.zeros(1))  # log(2 pi) / 2
    tensor(0.9189)
    """
    error, log_scale = _error_and_scale(mean, log_scale, target)
    return reduced((error * (-log_scale).exp()).square() / 2 + log_scale + math.log(2 * math.pi) / 2, reduction)


def laplace_nll(mean: Tensor, log_scale: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """|target - mean| / s + log s + log 2, elementwise; s = exp(log_scale), the mean absolute deviation.

    Args:
        mean: Of any shape.
        log_scale: Logarithm of the mean absolute deviation, of the same shape; below -88 its inverse overflows float32.
        target: Of the same shape.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or one is not floating point.

    >>> laplace_nll(torch.zeros(1), torch.zeros(1), torch.ones(1))  # 1 + log 2
    tensor(1.6931)
    """
    error, log_scale = _error_and_scale(mean, log_scale, target)
    return reduced(error.abs() * (-log_scale).exp() + log_scale + math.log(2), reduction)


def _require_pair(prediction: Tensor, target: Tensor) -> None:
    require_alike(prediction=prediction, target=target)


def _error_and_scale(mean: Tensor, log_scale: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    require_alike(mean=mean, target=target, log_scale=log_scale)
    return wide(target) - wide(mean), wide(log_scale)


def _halves(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-scale from the last dimension."""
    require_floating(prediction=prediction, target=target)
    if prediction.shape != (*target.shape, 2):
        raise ValueError(
            f"prediction must have shape [..., 2] = {(*target.shape, 2)}, mean and log-scale on the last dimension, "
            f"beside target [...] = {tuple(target.shape)}, got {tuple(prediction.shape)}"
        )
    mean, log_scale = prediction.unbind(dim=-1)
    return mean, log_scale


def _levels(quantiles: float | Sequence[float], like: Tensor) -> Tensor:
    """[Q], or [] of one number, in the dtype that ``like`` is computed in."""
    for quantile in quantiles if isinstance(quantiles, Sequence) else [quantiles]:
        if not isinstance(quantile, float) or not 0 < quantile < 1:
            raise ValueError(f"quantiles must lie in (0, 1), got {quantile!r}: 0.9 is the 90th percentile")
    return torch.tensor(quantiles, dtype=wide(like).dtype, device=like.device)


def _require_levels(quantiles: Tensor) -> None:
    require_floating(quantiles=quantiles)
    require_dim("quantiles", quantiles, "[] or [Q]", least=0, most=1)
    if sees_values(quantiles) and not bool(((quantiles > 0) & (quantiles < 1)).all()):
        raise ValueError(f"quantiles must lie in (0, 1), got {quantiles.tolist()}: 0.9 is the 90th percentile")


def _require_quantiles(quantiles: float | Sequence[float]) -> None:
    _require_levels(_levels(quantiles, torch.empty(0)))


def _require_quantiles_last(prediction: Tensor, target: Tensor, count: int) -> None:
    if prediction.shape != (*target.shape, count):
        raise ValueError(
            f"prediction must have shape [..., Q] = {(*target.shape, count)} beside target [...] = "
            f"{tuple(target.shape)} and {count} quantiles, got {tuple(prediction.shape)}"
        )


class RMSELoss(FunctionLoss):
    """``rmse``."""

    function = staticmethod(rmse)


class LogCoshLoss(FunctionLoss):
    """``log_cosh`` with its arguments."""

    function = staticmethod(log_cosh)
    reduction: Reduction = "mean"


class PinballLoss(FunctionLoss):
    """``pinball`` with its arguments."""

    function = staticmethod(pinball)
    check = staticmethod(_require_quantiles)
    quantiles: float | Sequence[float] = 0.5
    reduction: Reduction = "mean"


class GaussianNLLLoss(FunctionLoss):
    """``gaussian_nll`` of mean and log-scale on the last dimension of one output."""

    function = staticmethod(gaussian_nll)
    reduction: Reduction = "mean"

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of prediction [..., 2], mean and log of the standard deviation, and target [...]."""
        mean, log_scale = _halves(prediction, target)
        return gaussian_nll(mean, log_scale, target, **self.arguments)


class LaplaceNLLLoss(FunctionLoss):
    """``laplace_nll`` of mean and log-scale on the last dimension of one output."""

    function = staticmethod(laplace_nll)
    reduction: Reduction = "mean"

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of prediction [..., 2], mean and log of the mean absolute deviation, and target [...]."""
        mean, log_scale = _halves(prediction, target)
        return laplace_nll(mean, log_scale, target, **self.arguments)
