"""Losses for labels of which some are wrong: the sample that disagrees most is listened to less, or all by a bound.

Leng et al., PolyLoss, ICLR 2022 (Poly-1); Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep
Neural Networks with Noisy Labels, NeurIPS 2018 (L_q); Wang et al., Symmetric Cross Entropy for Robust Learning with
Noisy Labels, ICCV 2019. All are functions of cross-entropy, for p_t = exp(-cross-entropy).
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_alike, require_argument, require_classes, require_within, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced, reduced_over

__all__ = [
    "BinaryPoly1Loss",
    "GeneralisedCrossEntropyLoss",
    "Poly1Loss",
    "SymmetricCrossEntropyLoss",
    "binary_poly1",
    "generalised_cross_entropy",
    "poly1",
    "symmetric_cross_entropy",
]


def poly1(
    logits: Tensor, targets: Tensor, *, epsilon: float = 1.0, ignore_index: int = -100, reduction: Reduction = "mean"
) -> Tensor:
    """Cross-entropy + epsilon (1 - p_t): the first coefficient of its polynomial, moved; 0 is cross-entropy.

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        epsilon: From -1, where the first term is gone. Above 0 confident samples count more, below 0 less.
        ignore_index: A target that does not count.
        reduction: As in torch; all ignored: 0.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> poly1(torch.zeros(1, 2), torch.tensor([1]), epsilon=2.0)  # log 2 + 2 / 2
    tensor(1.6931)
    """
    _require_epsilon(epsilon)
    cross_entropy, counts = _cross_entropy(logits, targets, ignore_index)
    return reduced_over(cross_entropy + epsilon * _miss(cross_entropy), counts, reduction)


def binary_poly1(logits: Tensor, targets: Tensor, *, epsilon: float = 1.0, reduction: Reduction = "mean") -> Tensor:
    """Binary cross-entropy + epsilon (1 - p_t), elementwise; 0 is binary cross-entropy.

    Args:
        logits: Of any shape.
        targets: 0 or 1, in floating point, of the same shape; between them, both labels count by their shares.
        epsilon: From -1, where the first term is gone. Above 0 confident samples count more, below 0 less.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> binary_poly1(torch.zeros(1), torch.ones(1), epsilon=2.0)  # log 2 + 2 / 2
    tensor(1.6931)
    """
    require_alike(logits=logits, targets=targets)
    require_within("targets", targets, 0.0, 1.0, "give labels 0 or 1")
    _require_epsilon(epsilon)
    logits = wide(logits)
    targets = targets.to(logits.dtype)
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # each label's miss is a sigmoid: 1 - sigmoid would lose the digits of a confident one
    return reduced(cross_entropy + epsilon * logits.sigmoid().lerp((-logits).sigmoid(), targets), reduction)


def generalised_cross_entropy(
    logits: Tensor, targets: Tensor, *, q: float = 0.7, ignore_index: int = -100, reduction: Reduction = "mean"
) -> Tensor:
    """(1 - p_t^q) / q: cross-entropy as q -> 0, the (bounded) mean absolute error of the probabilities at q = 1.

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        q: In (0, 1]; the higher, the less a sample counts that the model finds unlikely.
        ignore_index: A target that does not count.
        reduction: As in torch; all ignored: 0.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> generalised_cross_entropy(torch.zeros(1, 4), torch.tensor([1]), q=0.5)  # (1 - sqrt(1/4)) / 0.5
    tensor(1.)
    """
    _require_q(q)
    cross_entropy, counts = _cross_entropy(logits, targets, ignore_index)
    return reduced_over(_miss(q * cross_entropy) / q, counts, reduction)


def symmetric_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """Alpha · cross-entropy + beta · reverse cross-entropy, the latter -sum_k p_k log target_k = -log_zero (1 - p_t).

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        alpha: Weight of cross-entropy, from 0: high enough to learn, low enough not to fit the wrong labels.
        beta: Weight of the reverse, which is bounded, from 0.
        log_zero: What stands for log 0, below 0: A in the paper.
        ignore_index: A target that does not count.
        reduction: As in torch; all ignored: 0.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> symmetric_cross_entropy(torch.zeros(1, 2), torch.tensor([1]), alpha=1.0, beta=0.5)  # log 2 + 0.5 · 4 / 2
    tensor(1.6931)
    """
    _require_symmetric(alpha, beta, log_zero)
    cross_entropy, counts = _cross_entropy(logits, targets, ignore_index)
    losses = alpha * cross_entropy - beta * log_zero * _miss(cross_entropy)
    return reduced_over(losses, counts, reduction)


def _cross_entropy(logits: Tensor, targets: Tensor, ignore_index: int) -> tuple[Tensor, Tensor]:
    """Of every sample, 0 where it is ignored; and which count."""
    require_classes(logits, targets, ignore_index=ignore_index)
    losses = F.cross_entropy(wide(logits), targets, ignore_index=ignore_index, reduction="none")
    return losses, targets != ignore_index


def _miss(cross_entropy: Tensor) -> Tensor:
    """1 - p_t, 0 where a sample is ignored."""
    return -torch.expm1(-cross_entropy)


def _require_epsilon(epsilon: float) -> None:
    require_argument("epsilon", epsilon, low=-1.0)


def _require_q(q: float) -> None:
    require_argument("q", q, low=0.0, high=1.0, open_low=True)


def _require_symmetric(alpha: float, beta: float, log_zero: float) -> None:
    require_argument("alpha", alpha, low=0.0)
    require_argument("beta", beta, low=0.0)
    require_argument("log_zero", log_zero, low=-float("inf"), high=0.0, open_low=True)


class Poly1Loss(FunctionLoss):
    """``poly1`` with its arguments."""

    function = staticmethod(poly1)
    check = staticmethod(_require_epsilon)
    epsilon: float = 1.0
    ignore_index: int = -100
    reduction: Reduction = "mean"


class BinaryPoly1Loss(FunctionLoss):
    """``binary_poly1`` with its arguments."""

    function = staticmethod(binary_poly1)
    check = staticmethod(_require_epsilon)
    epsilon: float = 1.0
    reduction: Reduction = "mean"


class GeneralisedCrossEntropyLoss(FunctionLoss):
    """``generalised_cross_entropy`` with its arguments."""

    function = staticmethod(generalised_cross_entropy)
    check = staticmethod(_require_q)
    q: float = 0.7
    ignore_index: int = -100
    reduction: Reduction = "mean"


class SymmetricCrossEntropyLoss(FunctionLoss):
    """``symmetric_cross_entropy`` with its arguments."""

    function = staticmethod(symmetric_cross_entropy)
    check = staticmethod(_require_symmetric)
    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0
    ignore_index: int = -100
    reduction: Reduction = "mean"
