"""Losses of depth maps and surface normals, in which pixels without a target do not count.

Eigen, Puhrsch and Fergus, Depth Map Prediction from a Single Image using a Multi-Scale Deep Network, NeurIPS 2014,
eq. (4); Laina et al., Deeper Depth Prediction with Fully Convolutional Residual Networks, 3DV 2016, eq. (1) and (2).
The cosine of normals: Eigen and Fergus, Predicting Depth, Surface Normals and Semantic Labels, ICCV 2015, eq. (2).
"""

from torch import Tensor

from equipoise.losses.checks import require_alike, require_argument, require_dim, require_mask, sees_values, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced, reduced_over

__all__ = ["BerHuLoss", "CosineNormalsLoss", "SILogLoss", "berhu", "cosine_normals", "silog"]


def silog(
    prediction: Tensor,
    target: Tensor,
    *,
    lambd: float = 0.5,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """Mean of d^2 - lambd (mean of d)^2 over each image's pixels, d = log prediction - log target.

    BTS and its followers train with 10 sqrt(this) for lambd 0.85 over the pixels of the whole batch at once.

    Args:
        prediction: Depths [N, ..., H, W], positive, in any unit.
        target: Depths of the same shape and unit. Where they are not above 0 (or NaN), the pixel does not count.
        lambd: In [0, 1]: how much of a common factor is forgiven; 0 is the mean square of d, 1 its variance.
        mask: Booleans of the same shape: False does not count either.
        reduction: As in torch; the elements are those of the images, [N]. An image without a pixel that counts is 0,
            and left out of the mean; all of them: 0.

    Raises:
        ValueError: If shapes differ, or a prediction that counts is not positive.

    >>> import torch
    >>> prediction, target = torch.full((1, 2, 2), 2.0), torch.ones(1, 2, 2)
    >>> silog(prediction, target, lambd=0.5)  # (log 2)^2 / 2
    tensor(0.2402)
    """
    require_alike(prediction=prediction, target=target)
    require_dim("prediction", prediction, "[N, ..., H, W]", least=3)
    _require_lambd(lambd)
    valid = (target > 0) & target.isfinite()  # no reading, and none that came back
    if mask is not None:
        require_mask(mask, target=target)
        valid = valid & mask
    _require_positive(prediction, valid)
    ratio = wide(prediction).where(valid, 1.0).log() - wide(target).where(valid, 1.0).log()
    ratio, valid = ratio.flatten(1), valid.flatten(1)
    count = valid.sum(dim=1)
    mean = ratio.sum(dim=1) / count.clamp(min=1)
    # the variance and the square of the mean, so that lambd 1 is never below 0
    spread = ((ratio - mean.unsqueeze(1)) * valid).square().sum(dim=1) / count.clamp(min=1)
    return reduced_over(spread + (1 - lambd) * mean.square(), count > 0, reduction)


def berhu(
    prediction: Tensor,
    target: Tensor,
    *,
    threshold: float = 0.2,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    """|x| up to c, (x^2 + c^2) / 2c above; x = prediction - target, c = threshold · the batch's largest |x|.

    The inverse of Huber's, elementwise: small errors in absolute value, large ones squared. No gradient through c.

    Args:
        prediction: Of any shape.
        target: Of the same shape. Depths that are missing count unless the mask leaves them out: ``mask=target > 0``.
        threshold: The share in (0, 1]; 1 is the absolute error.
        mask: Booleans of the same shape: False does not count, nor for c.
        reduction: As in torch; masked elements are 0 and left out of the mean; all of them: 0.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> import torch
    >>> berhu(torch.tensor([1.0, 10.0]), torch.zeros(2), reduction="none")  # c = 2
    tensor([ 1., 26.])
    """
    require_alike(prediction=prediction, target=target)
    _require_threshold(threshold)
    size = (wide(prediction) - wide(target)).abs()
    if mask is not None:
        require_mask(mask, target=target)
        size = size.where(mask, 0.0)
    if size.numel() == 0:
        return reduced(size, reduction)
    c = threshold * size.detach().amax()
    losses = size + (size - c).relu().square() / (2 * c.where(c > 0, 1.0))  # |x| + (|x| - c)^2 / 2c above c
    return reduced(losses, reduction) if mask is None else reduced_over(losses, mask, reduction)


def cosine_normals(
    prediction: Tensor, target: Tensor, *, mask: Tensor | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """1 - cosine of the angle between two normals, pixel by pixel; a prediction of length 0 has the cosine 0.

    Args:
        prediction: Normals [N, 3, H, W] of any length.
        target: The same, of any length. Where it is 0 or NaN, the pixel does not count.
        mask: Booleans [N, H, W]: False does not count either.
        reduction: As in torch; the elements are those of the pixels, [N, H, W]: those that do not count are 0 and left
            out of the mean; all of them: 0.

    Raises:
        ValueError: If shapes do not match.

    >>> import torch
    >>> right, up = torch.tensor([1.0, 0.0, 0.0]), torch.tensor([0.0, 2.0, 0.0])
    >>> cosine_normals(right.view(1, 3, 1, 1), up.view(1, 3, 1, 1))
    tensor(1.)
    """
    require_alike(prediction=prediction, target=target)
    _require_normals(prediction)
    prediction, target = wide(prediction), wide(target)
    square = _dot(target, target)
    valid = square > 0
    if mask is not None:
        require_mask(mask, pixels=square)
        valid = valid & mask
    unit = (target * square.where(valid, 1.0).rsqrt().unsqueeze(1)).where(valid.unsqueeze(1), 0.0)
    predicted_square = _dot(prediction, prediction)
    cosine = _dot(prediction, unit) * predicted_square.where(predicted_square > 0, 1.0).rsqrt()
    return reduced_over((1 - cosine).where(valid, 0.0), valid, reduction)


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """Of [N, 3, H, W] over the coordinates, one by one: a sum over dimension 1 is ten times as slow."""
    x, y, z = one.unbind(dim=1)
    u, v, w = other.unbind(dim=1)
    return x * u + y * v + z * w


def _require_positive(prediction: Tensor, valid: Tensor) -> None:
    if sees_values(prediction) and bool(((prediction <= 0) & valid).any()):
        raise ValueError(
            f"prediction must be positive depths, got {prediction.detach()[valid].min().item():g}: "
            "let the network predict the logarithm and take .exp()"
        )


def _require_normals(prediction: Tensor) -> None:
    require_dim("prediction", prediction, "[N, 3, H, W]", least=4, most=4)
    if prediction.shape[1] != 3:
        raise ValueError(f"prediction must have shape [N, 3, H, W], got {tuple(prediction.shape)}: three coordinates")


def _require_lambd(lambd: float) -> None:
    require_argument("lambd", lambd, low=0.0, high=1.0)


def _require_threshold(threshold: float) -> None:
    require_argument("threshold", threshold, low=0.0, high=1.0, open_low=True)


class SILogLoss(FunctionLoss):
    """``silog`` with its arguments."""

    function = staticmethod(silog)
    check = staticmethod(_require_lambd)
    lambd: float = 0.5
    reduction: Reduction = "mean"


class BerHuLoss(FunctionLoss):
    """``berhu`` with its arguments."""

    function = staticmethod(berhu)
    check = staticmethod(_require_threshold)
    threshold: float = 0.2
    reduction: Reduction = "mean"


class CosineNormalsLoss(FunctionLoss):
    """``cosine_normals`` with its arguments."""

    function = staticmethod(cosine_normals)
    reduction: Reduction = "mean"
