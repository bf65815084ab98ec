"""The losses that take the same outputs and targets, by kind of task, under the names that the command line uses.

The first of each is the one that a case has by itself. What a factory takes can be searched.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from equipoise import losses
from equipoise.losses.checks import require_argument
from equipoise.missing import labelled

Losses = Mapping[str, Callable[..., nn.Module]]


def number_losses() -> Losses:
    """Of numbers [N] against numbers [N]."""
    return {
        "mse": lambda: nn.MSELoss(),
        "huber": lambda delta=1.0: nn.HuberLoss(delta=delta),
        "l1": lambda: nn.L1Loss(),
    }


def class_losses() -> Losses:
    """Of logits [N, C, ...] against classes [N, ...], -100 where one is missing."""
    return {
        "cross-entropy": lambda label_smoothing=0.0: nn.CrossEntropyLoss(label_smoothing=label_smoothing),
        "focal": lambda gamma=2.0: losses.FocalLoss(gamma),
    }


def counted_class_losses(labels: Tensor, num_classes: int, tau: float = 1.0, beta: float = 1.0) -> Losses:
    """``class_losses``, and those that know how often each class occurs.

    ``weighted-cross-entropy`` weighs a class by (1 / its share)^power, with a mean of 1 over the labels: 1 gives every
    class the same say, 0 every sample. ``logit-adjusted`` shifts logits while training alone.

    Args:
        labels: Of the training split [N], -100 where one is missing.
        num_classes: C; one without a label counts as if it had one.
        tau: Of ``logit-adjusted``, unless another is chosen.
        beta: Likewise.
    """
    counts = torch.bincount(labels[labelled(labels)], minlength=num_classes)

    def weighted(power: float = 0.5) -> nn.Module:
        require_argument("power", power, low=0.0)
        weights = counts.clamp(min=1).double().pow(-power)
        return nn.CrossEntropyLoss((weights * counts.sum() / (weights * counts).sum()).float())

    return {
        **class_losses(),
        "weighted-cross-entropy": weighted,
        "logit-adjusted": lambda tau=tau, beta=beta: losses.LogitAdjustedLoss(counts.clamp(min=1), tau, beta=beta),
    }


def binary_losses(labels: Tensor) -> Losses:
    """Of logits against labels 0 or 1 of one shape; ``weighted-bce`` weighs a label that is never positive by 1.

    Args:
        labels: Of the training split [N] or [N, L]; a missing row is NaN.
    """
    known = labels.reshape(len(labels), -1)
    known = known[~known[:, 0].isnan()]

    def weighted() -> nn.Module:
        positives = known.sum(dim=0).long()
        weights = losses.positive_weights(positives.clamp(min=1), num_samples=len(known))
        return nn.BCEWithLogitsLoss(pos_weight=weights.where(positives > 0, 1.0))

    return {
        "bce": lambda: nn.BCEWithLogitsLoss(),
        "weighted-bce": weighted,
        "focal": lambda gamma=2.0: losses.BinaryFocalLoss(gamma),
        "asymmetric": lambda gamma_neg=4.0, clip=0.05: losses.AsymmetricLoss(gamma_neg=gamma_neg, clip=clip),
    }


def label_losses(labels: Tensor) -> Losses:
    """``binary_losses`` of several labels, and one that counts them as F1 does.

    Args:
        labels: Of the training split [N, L]; a missing row is NaN.
    """

    def soft_f1(proportion: float = 0.5) -> nn.Module:
        parts = {"bce": (1 - proportion, nn.BCEWithLogitsLoss()), "soft-f1": (proportion, losses.SoftF1Loss())}
        return losses.Mixed(parts)

    return {**binary_losses(labels), "soft-f1": soft_f1}


def region_losses() -> Losses:
    """Of logits [N, C, H, W] against a class for each pixel [N, H, W], -100 where there is none."""

    def both(proportion: float = 0.5) -> nn.Module:
        parts = {"cross-entropy": (1 - proportion, nn.CrossEntropyLoss()), "dice": (proportion, losses.DiceLoss())}
        return losses.Mixed(parts)

    return {
        "cross-entropy-dice": both,
        "cross-entropy": lambda: nn.CrossEntropyLoss(),
        "dice": lambda smooth=0.0: losses.DiceLoss(smooth=smooth),
        "lovasz": lambda: losses.LovaszSoftmaxLoss(),
    }
