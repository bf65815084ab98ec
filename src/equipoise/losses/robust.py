"""A robust loss whose shape is a number, or learned: from squared error over Charbonnier and Cauchy to Welsch.

Barron, A General and Adaptive Robust Loss Function, CVPR 2019, eq. (1) and (8) (the loss), eq. (16) to (18) (the
distribution whose negative log-likelihood it is).
"""

import math

import torch
from torch import Tensor, nn

from equipoise.losses.checks import require_alike, require_argument, require_floating, require_within, sees_values, wide
from equipoise.losses.module import FunctionLoss, LossModule
from equipoise.losses.reduction import Reduction, reduced, require_reduction

__all__ = ["AdaptiveRobustLoss", "AdaptiveRobustNLLLoss", "adaptive_robust", "adaptive_robust_nll"]


def adaptive_robust(
    prediction: Tensor,
    target: Tensor,
    *,
    alpha: float | Tensor = 1.0,
    scale: float | Tensor = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """b/alpha ((u/b + 1)^(alpha/2) - 1), u = ((prediction - target) / scale)^2, b = |alpha - 2|; elementwise.

    At its limits: u/2 at alpha 2, log(u/2 + 1) at 0 (Cauchy), 1 - exp(-u/2) at -inf (Welsch). In between lie
    sqrt(u + 1) - 1 at 1 (Charbonnier) and 2u / (u + 4) at -2 (Geman-McClure). Its slope in alpha grows like
    -log|alpha - 2| around 2; at 2 itself a finite one of the same sign is given.

    Args:
        prediction: Of any shape.
        target: Of the same shape.
        alpha: From -inf to inf, a number or a tensor of shape [] or [prediction.shape[-1]]. The lower, the less
            outliers count: above 1 they pull harder the farther they lie, below 1 less, below 0 the loss is bounded.
        scale: Positive, in the units of the target, of the shapes of ``alpha``: errors well below it count as squares.
        reduction: As in torch.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> adaptive_robust(torch.tensor([2.0]), torch.tensor([0.0]), alpha=-2.0)  # 2 * 4 / (4 + 4)
    tensor(1.)
    """
    squares = _squares(prediction, target, alpha, scale)
    if isinstance(alpha, Tensor):
        return reduced(_rho(squares, wide(alpha).to(squares.dtype)), reduction)
    return reduced(_rho_of_number(squares, alpha), reduction)


def adaptive_robust_nll(
    prediction: Tensor,
    target: Tensor,
    *,
    alpha: float | Tensor = 1.0,
    scale: float | Tensor = 1.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """``adaptive_robust`` + log scale + log Z(alpha), with Z(alpha) = int exp(-adaptive_robust(x, 0)) dx; elementwise.

    A density of the target, so that alpha and scale can be learned: alpha 2 is the Gaussian of standard deviation
    ``scale``, alpha 0 the Cauchy distribution.

    Args:
        prediction: Of any shape.
        target: Of the same shape.
        alpha: In [0, 2] (below 0 there is no density), a number or a tensor of shape [] or [prediction.shape[-1]].
        scale: Positive, in the units of the target, of the shapes of ``alpha``.
        reduction: As in torch.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> adaptive_robust_nll(torch.zeros(1), torch.zeros(1), alpha=2.0)  # log(2 pi) / 2
    tensor(0.9189)
    """
    squares = _squares(prediction, target, alpha, scale)
    if isinstance(alpha, Tensor):
        require_within("alpha", alpha, 0.0, 2.0, "below 0 there is no density")
        shape = wide(alpha).to(squares.dtype)
    else:
        _require_density(alpha)
        shape = squares.new_full((), alpha)
    log_scale = wide(scale).log() if isinstance(scale, Tensor) else math.log(scale)
    return reduced(_rho(squares, shape) + (_log_normaliser(shape) + log_scale), reduction)


class AdaptiveRobustNLLLoss(LossModule):
    """``adaptive_robust_nll`` with ``alpha`` in (0, 2) and a positive ``scale`` that are learned: its parameters.

    They must be given to the optimiser, beside those of the network. ``num_outputs=None``: one alpha and one scale for
    all elements; else one of each for every entry of the last dimension.

    >>> loss = AdaptiveRobustNLLLoss(num_outputs=3, initial_alpha=1.0)
    >>> loss(torch.zeros(5, 3), torch.zeros(5, 3)).backward()
    >>> loss.alpha.detach(), [name for name, _ in loss.named_parameters()]
    (tensor([1., 1., 1.]), ['alpha_logits', 'log_scale'])
    """

    def __init__(
        self,
        num_outputs: int | None = None,
        initial_alpha: float = 1.0,
        initial_scale: float = 1.0,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        _require_num_outputs(num_outputs)
        if not 0 < initial_alpha < 2:
            raise ValueError(f"initial_alpha must lie in (0, 2), got {initial_alpha!r}: at the ends nothing is learned")
        _require_scale(initial_scale, "initial_scale")
        require_reduction(reduction)
        self.num_outputs, self.initial_alpha, self.initial_scale = num_outputs, initial_alpha, initial_scale
        self.reduction = reduction
        shape = () if num_outputs is None else (num_outputs,)
        self.alpha_logits = nn.Parameter(torch.full(shape, math.log(initial_alpha / (2 - initial_alpha))))
        self.log_scale = nn.Parameter(torch.full(shape, math.log(initial_scale)))

    @property
    def alpha(self) -> Tensor:
        """2 sigmoid(alpha_logits), [num_outputs] or []."""
        return 2 * wide(self.alpha_logits).sigmoid()

    @property
    def scale(self) -> Tensor:
        """exp(log_scale), [num_outputs] or []."""
        return wide(self.log_scale).exp()

    def forward(self, prediction: Tensor, target: Tensor) -> Tensor:
        """Of prediction and target of one shape, [..., num_outputs] or any."""
        return adaptive_robust_nll(prediction, target, alpha=self.alpha, scale=self.scale, reduction=self.reduction)


def _rho_of_number(squares: Tensor, alpha: float) -> Tensor:
    """Eq. (8), from u."""
    resolution = torch.finfo(squares.dtype).eps
    if alpha == 2:
        return squares / 2
    if abs(alpha) < resolution:
        return torch.log1p(squares / 2)
    if alpha == -2:
        return 2 * squares / (squares + 4)
    alpha = min(max(alpha, -1 / resolution), 1 / resolution)  # farther out it is the limit, to the last digit
    b = abs(alpha - 2)
    return b / alpha * torch.expm1(alpha / 2 * torch.log1p(squares / b))


def _rho(squares: Tensor, alpha: Tensor) -> Tensor:
    """Eq. (8) from u, differentiable in alpha.

    With L = log(u/b + 1) it is b/alpha expm1(alpha/2 L). Around alpha 0 this is a series in alpha; around 2 it is
    written as (u + (u + b) expm1((alpha - 2)/2 L)) / alpha, where nothing large cancels.
    """
    resolution = torch.finfo(squares.dtype).eps
    alpha = alpha.clamp(-1 / resolution, 1 / resolution)  # farther out it is the limit, to the last digit
    near_0, near_2 = alpha.abs() < resolution**0.25, (alpha - 2).abs() < 0.125
    b = torch.where(alpha == 2, 1.0, (alpha - 2).abs())  # any will do at 2, where the power is 0
    log_base = torch.log1p(squares / b)
    series = torch.addcmul(b * alpha**2 / 48, log_base, b * alpha**3 / 384)
    series = torch.addcmul(b * alpha / 8, log_base, series)
    series = log_base * torch.addcmul(b / 2, log_base, series)  # b/2 L (1 + z/2 + z^2/6 + z^3/24), z = alpha/2 L
    safe = torch.where(near_0, 1.0, alpha)
    power = torch.expm1((safe / 2 - near_2.to(safe.dtype)) * log_base)
    linear = near_2 / safe * squares
    return torch.where(near_0, series, torch.addcmul(linear, linear + b / safe, power))


def _log_normaliser(alpha: Tensor) -> Tensor:
    """Log of the integral of exp(-rho(x^2)) over the real line, for alpha in [0, 2], to 3e-9.

    By the trapezoidal rule after x = sinh(pi/2 sinh t), under which the heaviest tail, Cauchy's, ends doubly fast:
    Takahasi and Mori, Double Exponential Formulas for Numerical Integration, 1974.
    """
    step = 3.6 / 64
    t = step * torch.arange(65, dtype=alpha.dtype, device=alpha.device)
    x = torch.sinh(math.pi / 2 * torch.sinh(t))  # up to 1.5e12
    log_weights = (math.pi * step * torch.cosh(t) * (1 + x * x).sqrt()).log()  # of both signs of x: 2 step dx/dt
    log_weights = log_weights - math.log(2) * (t == 0)
    return torch.logsumexp(log_weights - _rho(x * x, alpha.unsqueeze(-1)), dim=-1)


def _squares(prediction: Tensor, target: Tensor, alpha: float | Tensor, scale: float | Tensor) -> Tensor:
    """((prediction - target) / scale)^2, after all checks."""
    require_alike(prediction=prediction, target=target)
    for name, value, require in (("alpha", alpha, _require_alpha), ("scale", scale, _require_scale)):
        if isinstance(value, Tensor):
            _require_per_output(name, value, prediction)
        require(value)
    error = wide(prediction) - wide(target)
    if isinstance(scale, Tensor):
        return (error / wide(scale).to(error.dtype)).square()
    return error.square() if scale == 1 else (error / scale).square()


def _require_alpha(alpha: float | Tensor) -> None:
    if isinstance(alpha, Tensor):
        require_within("alpha", alpha, -math.inf, math.inf, "it is not a number")
    else:
        require_argument("alpha", alpha, low=-math.inf, infinite=True)


def _require_density(alpha: float) -> None:
    require_argument("alpha", alpha, low=0.0, high=2.0)


def _require_scale(scale: float | Tensor, name: str = "scale") -> None:
    if not isinstance(scale, Tensor):
        require_argument(name, scale, low=0.0, open_low=True)
    elif sees_values(scale) and not bool((scale > 0).all()):
        raise ValueError(f"{name} must be positive, got {scale.min().item():g}: learn its logarithm and take exp")


def _require_per_output(name: str, value: Tensor, prediction: Tensor) -> None:
    require_floating(**{name: value})
    if value.dim() and value.shape != prediction.shape[-1:]:
        raise ValueError(
            f"{name} must have shape [] or one value per output, {tuple(prediction.shape[-1:])}, beside prediction "
            f"{tuple(prediction.shape)}, got {tuple(value.shape)}"
        )


def _require_num_outputs(num_outputs: int | None) -> None:
    if num_outputs is not None and (not isinstance(num_outputs, int) or num_outputs < 1):
        raise ValueError(f"num_outputs must be a positive integer or None, got {num_outputs!r}")


def _require_robust(alpha: float, scale: float) -> None:
    _require_alpha(alpha)
    _require_scale(scale)


class AdaptiveRobustLoss(FunctionLoss):
    """``adaptive_robust`` with its arguments, as numbers."""

    function = staticmethod(adaptive_robust)
    check = staticmethod(_require_robust)
    alpha: float = 1.0
    scale: float = 1.0
    reduction: Reduction = "mean"
