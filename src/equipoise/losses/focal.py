"""Focal loss: listen less to what is already right.

Lin et al., Focal Loss for Dense Object Detection, ICCV 2017, eq. (4) and (5).
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import (
    require_alike,
    require_argument,
    require_classes,
    require_weight,
    require_within,
    wide,
)
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced, reduced_over
from equipoise.missing import weight_of

__all__ = ["BinaryFocalLoss", "FocalLoss", "binary_focal", "focal"]


def binary_focal(
    logits: Tensor, targets: Tensor, *, gamma: float = 2.0, alpha: float | None = None, reduction: Reduction = "mean"
) -> Tensor:
    """alpha_t (1 - p_t)^gamma · cross-entropy, elementwise; ``gamma=0`` is binary cross-entropy.

    Args:
        logits: Of any shape.
        targets: 0 or 1, in floating point, of the same shape.
        gamma: From 0; the higher, the less the easy ones count.
        alpha: Weight of the positives in [0, 1], 1 - alpha that of the negatives; ``None``: all count alike.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> binary_focal(torch.zeros(1), torch.ones(1), gamma=2.0)
    tensor(0.1733)
    """
    require_alike(logits=logits, targets=targets)
    require_within("targets", targets, 0.0, 1.0, "give labels 0 or 1")
    _require_arguments(gamma, alpha)
    logits, targets = wide(logits), wide(targets)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # log(1 - p_t) is that of the opposite label: it keeps its digits as p_t -> 1
    log_miss = -F.binary_cross_entropy_with_logits(logits, 1 - targets, reduction="none")
    losses = (gamma * log_miss).exp() * cross_entropy
    if alpha is not None:
        losses = losses * (alpha * targets + (1 - alpha) * (1 - targets))
    return reduced(losses, reduction)


def focal(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 2.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """weight_t (1 - p_t)^gamma · cross-entropy over C classes; ``gamma=0`` is cross-entropy.

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        gamma: From 0; the higher, the less the easy ones count.
        weight: Of each class [C]. As in torch, ``"mean"`` divides by the weights of the targets.
        ignore_index: A target that does not count.
        reduction: As in torch; all ignored: 0.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> focal(torch.zeros(1, 2), torch.tensor([1]), gamma=2.0)
    tensor(0.1733)
    """
    require_classes(logits, targets, ignore_index=ignore_index)
    require_weight(weight, logits.shape[1])
    _require_arguments(gamma)
    logits, counts = wide(logits), targets != ignore_index
    cross_entropy = F.cross_entropy(logits, targets, ignore_index=ignore_index, reduction="none")
    losses = _miss(-cross_entropy).pow(gamma) * cross_entropy
    if weight is None:
        weights = counts.to(losses.dtype)
    else:
        weights = weight.to(losses.dtype)[targets.masked_fill(~counts, 0)] * counts
        losses = losses * weights
    return reduced_over(losses, weights, reduction)


def _miss(log_hit: Tensor) -> Tensor:
    """1 - p_t; where p_t is 1 its power has the gradient of its limit, not NaN."""
    return -torch.expm1(log_hit.clamp(max=-torch.finfo(log_hit.dtype).tiny))


def _require_arguments(gamma: float, alpha: float | None = None) -> None:
    require_argument("gamma", gamma, low=0.0)
    if alpha is not None:
        require_argument("alpha", alpha, low=0.0, high=1.0)


class BinaryFocalLoss(FunctionLoss):
    """``binary_focal`` with its arguments."""

    function = staticmethod(binary_focal)
    check = staticmethod(_require_arguments)
    gamma: float = 2.0
    alpha: float | None = None
    reduction: Reduction = "mean"


class FocalLoss(FunctionLoss):
    """``focal`` with its arguments."""

    function = staticmethod(focal)
    check = staticmethod(_require_arguments)
    gamma: float = 2.0
    weight: Tensor | None = None
    ignore_index: int = -100
    reduction: Reduction = "mean"

    def divisor(self, logits: Tensor, targets: Tensor) -> float:
        """What the sum is divided by: for the mean the weights of the targets, or how many count; else 1."""
        return weight_of(targets[targets != self.ignore_index], self.weight) if self.reduction == "mean" else 1
