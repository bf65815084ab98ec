"""Hinge losses of two classes: a sample that is right by a margin of 1 costs nothing.

Cortes and Vapnik, Support-Vector Networks, Machine Learning 1995 (hinge); Lee and Mangasarian, SSVM, Computational
Optimization and Applications 2001 (squared). Over more classes, ``torch.nn.MultiMarginLoss`` is the hinge;
``torch.nn.HingeEmbeddingLoss`` is another thing.
"""

import torch
from torch import Tensor

from equipoise.losses.checks import require_alike, require_within, sees_values, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced

__all__ = ["BinaryHingeLoss", "BinarySquaredHingeLoss", "binary_hinge", "binary_squared_hinge"]


def binary_hinge(logits: Tensor, targets: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """max(0, 1 - s · logit), elementwise, with s = 1 where targets are positive, else -1.

    Args:
        logits: Of any shape.
        targets: 0 or 1, or else -1 or 1, in floating point, of the same shape.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or the targets are no such labels.

    >>> binary_hinge(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]), reduction="none")
    tensor([0.5000, 1.5000])
    """
    return reduced(_shortfall(logits, targets), reduction)


def binary_squared_hinge(logits: Tensor, targets: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """max(0, 1 - s · logit)², elementwise, with s = 1 where targets are positive, else -1.

    Args:
        logits: Of any shape.
        targets: 0 or 1, or else -1 or 1, in floating point, of the same shape.
        reduction: As in torch.

    Raises:
        ValueError: If shapes differ, or the targets are no such labels.

    >>> binary_squared_hinge(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]), reduction="none")
    tensor([0.2500, 2.2500])
    """
    return reduced(_shortfall(logits, targets).square(), reduction)


def _shortfall(logits: Tensor, targets: Tensor) -> Tensor:
    """What a sample lacks of the margin of 1."""
    require_alike(logits=logits, targets=targets)
    _require_labels(targets)
    logits = wide(logits)
    return (1 - torch.where(targets > 0, logits, -logits)).relu()


def _require_labels(targets: Tensor) -> None:
    """Raise unless all are 0 or 1, or all -1 or 1: with all three there, 0 would mean neither."""
    require_within("targets", targets, -1.0, 1.0, "give labels 0 or 1, or -1 or 1")
    if targets.numel() and sees_values(targets):
        negative = targets.detach().min().sign()  # -1 where labels are of that kind, else 0 (or 1: all positive)
        wrong = (targets != 1) & (targets != negative)
        if wrong.any():
            kind = "-1 or 1" if negative < 0 else "0 or 1"
            raise ValueError(
                f"targets must all be {kind}, got {targets[wrong][0].item():g} among them: "
                "give labels 0 or 1, or -1 or 1, and leave out what is neither"
            )


class BinaryHingeLoss(FunctionLoss):
    """``binary_hinge`` with its arguments."""

    function = staticmethod(binary_hinge)
    reduction: Reduction = "mean"


class BinarySquaredHingeLoss(FunctionLoss):
    """``binary_squared_hinge`` with its arguments."""

    function = staticmethod(binary_squared_hinge)
    reduction: Reduction = "mean"
