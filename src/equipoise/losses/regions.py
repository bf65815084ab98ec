"""Overlap losses: 1 - Dice, Jaccard or Tversky index of soft regions, whatever the size of the background.

All are functions of three soft counts per class: TP = Σ p t, Σ p and Σ t; FP = Σ p - TP, FN = Σ t - TP. The sums run
over the batch and space, or over each sample's space with ``per_sample``; the losses of the classes are averaged.

A class without a target pixel has no overlap to speak of: it is left out of the mean, and the loss is 0 where all
are absent. What is predicted for an absent class then only costs through the classes it is taken from.

Sudre et al., Generalised Dice Overlap, DLMIA 2017. Salehi et al., Tversky Loss Function, MLMI 2017. Abraham & Khan, A
Novel Focal Tversky Loss, ISBI 2019, eq. (3) and (4). Milletari et al., V-Net, 3DV 2016, whose Σ p² is Σ p here.
"""

import torch
from torch import Tensor

from equipoise.losses.checks import require_classes, sees_values, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.overlap import mean_over_present, require_prices, tversky_of_counts

__all__ = [
    "DiceLoss",
    "FocalTverskyLoss",
    "GeneralisedDiceLoss",
    "JaccardLoss",
    "TverskyLoss",
    "dice",
    "focal_tversky",
    "generalised_dice",
    "jaccard",
    "tversky",
]

_STRETCH = 64  # pixels to one running sum: over a whole image float32 loses its last digits


def dice(
    logits: Tensor, targets: Tensor, *, per_sample: bool = False, smooth: float = 0.0, ignore_index: int = -100
) -> Tensor:
    """1 - 2 TP / (Σ p + Σ t), the mean over the classes present; p = softmax(logits).

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        per_sample: Whether sums run over each sample's pixels, not over the batch; a sample then averages its classes,
            and the loss averages the samples that have any.
        smooth: Pixels counted as hits beside TP. Other libraries' smoothing of Dice is twice this.
        ignore_index: A target that does not count.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> dice(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))  # 2 · 1.5 / (2 + 3) and 2 · 0.5 / (2 + 1)
    tensor(0.5333)
    """
    return tversky(
        logits, targets, alpha=0.5, beta=0.5, per_sample=per_sample, smooth=smooth, ignore_index=ignore_index
    )


def generalised_dice(logits: Tensor, targets: Tensor, *, per_sample: bool = False, ignore_index: int = -100) -> Tensor:
    """1 - 2 Σ_c w_c TP_c / Σ_c w_c (Σ p_c + Σ t_c), w_c = 1 / (Σ t_c)^2 of the classes present; p = softmax(logits).

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        per_sample: Whether sums run over each sample's pixels, not over the batch; the mean of the samples then.
        ignore_index: A target that does not count.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> generalised_dice(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))  # w = 1/9 and 1: 1 - (4 / 3) / (32 / 9)
    tensor(0.6250)
    """
    hits, predicted, actual = _class_counts(logits, targets, per_sample, ignore_index)
    weights = torch.where(actual > 0, actual, 1).pow(-2) * (actual > 0)
    # 1 - 2 TP / (Σ p + Σ t) without the difference: 2 TP = Σ p + Σ t - FP - FN
    missed = (weights * ((predicted - hits).clamp(min=0) + (actual - hits).clamp(min=0))).sum(dim=1)
    total = (weights * (predicted + actual)).sum(dim=1)
    return mean_over_present((missed / torch.where(total > 0, total, 1)).unsqueeze(1), (total > 0).unsqueeze(1))


def jaccard(
    logits: Tensor, targets: Tensor, *, per_sample: bool = False, smooth: float = 0.0, ignore_index: int = -100
) -> Tensor:
    """1 - TP / (Σ p + Σ t - TP), the mean over the classes present; p = softmax(logits).

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        per_sample: As in ``dice``.
        smooth: Pixels counted as hits beside TP.
        ignore_index: A target that does not count.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> jaccard(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))  # 1.5 / 3.5 and 0.5 / 2.5
    tensor(0.6857)
    """
    return tversky(
        logits, targets, alpha=1.0, beta=1.0, per_sample=per_sample, smooth=smooth, ignore_index=ignore_index
    )


def tversky(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    per_sample: bool = False,
    smooth: float = 0.0,
    ignore_index: int = -100,
) -> Tensor:
    """1 - TP / (TP + alpha FP + beta FN), the mean over the classes present; p = softmax(logits).

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        alpha: Price of false positives, from 0; with ``beta`` 0.5 is Dice, 1 is Jaccard.
        beta: Price of false negatives, from 0.
        per_sample: As in ``dice``.
        smooth: Pixels counted as hits beside TP.
        ignore_index: A target that does not count.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> tversky(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 0, 1]]))  # 1.5 / (1.5 + 1.2), 0.5 / (0.5 + 0.8)
    tensor(0.5299)
    """
    return focal_tversky(
        logits,
        targets,
        gamma=1.0,
        alpha=alpha,
        beta=beta,
        per_sample=per_sample,
        smooth=smooth,
        ignore_index=ignore_index,
    )


def focal_tversky(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 4 / 3,
    alpha: float = 0.3,
    beta: float = 0.7,
    per_sample: bool = False,
    smooth: float = 0.0,
    ignore_index: int = -100,
) -> Tensor:
    """(1 - TI)^(1 / gamma) of each class's Tversky index TI, the mean over the classes present; p = softmax(logits).

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        gamma: Above 0; 1 is ``tversky``, above it classes nearly right keep a larger gradient.
        alpha: Price of false positives, as in ``tversky``; the paper's is that of false negatives.
        beta: Price of false negatives.
        per_sample: As in ``dice``.
        smooth: Pixels counted as hits beside TP.
        ignore_index: A target that does not count.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> focal_tversky(torch.zeros(1, 2, 4), torch.tensor([[0, 0, 1, 1]]), gamma=2.0)  # both √(1 - 1 / (1 + 1))
    tensor(0.7071)
    """
    require_prices(alpha, beta, gamma, smooth)
    counts = _class_counts(logits, targets, per_sample, ignore_index)
    return tversky_of_counts(*counts, alpha, beta, gamma, smooth)


def _class_counts(
    logits: Tensor, targets: Tensor, per_sample: bool, ignore_index: int
) -> tuple[Tensor, Tensor, Tensor]:
    """TP, Σ p and Σ t [rows, C]: a row per sample, or one for the batch."""
    require_classes(logits, targets, ignore_index=ignore_index)
    probabilities = wide(logits).softmax(dim=1).unsqueeze(-1).flatten(2)  # [N, C, S], also of [N, C]
    targets = targets.unsqueeze(-1).flatten(1)
    counts = targets != ignore_index
    everything = sees_values(counts) and bool(counts.all())
    targets = (targets if everything else targets.where(counts, 0)).long()
    # first Σ p, then TP: backwards, the gather's fresh gradient comes first and takes the other one in place
    predicted = probabilities.sum(dim=2) if everything else _masses(probabilities, counts)
    counts = counts.to(probabilities.dtype)
    of_target = probabilities.gather(1, targets.unsqueeze(1)).squeeze(1) * counts
    num_classes = logits.shape[1]
    hits = _sums_by_class(of_target, targets, num_classes)
    actual = _sums_by_class(counts, targets, num_classes)
    if per_sample:
        return hits, predicted, actual
    return hits.sum(dim=0, keepdim=True), predicted.sum(dim=0, keepdim=True), actual.sum(dim=0, keepdim=True)


def _masses(probabilities: Tensor, counts: Tensor) -> Tensor:
    """Σ p [N, C] over the pixels that count [N, S]; on a CPU without memory for the product."""
    if not sees_values(counts):
        return (probabilities * counts.unsqueeze(1)).sum(dim=2)
    with torch.autocast("cpu", enabled=False):
        return torch.einsum("ncs,ns->nc", probabilities, counts.to(probabilities.dtype))


def _sums_by_class(values: Tensor, targets: Tensor, num_classes: int) -> Tensor:
    """Sums [N, C] of values [N, S] over the pixels of each class."""
    num_samples, num_pixels = targets.shape
    stretches = -(-num_pixels // _STRETCH)
    bins = targets + num_classes * (torch.arange(num_pixels, device=targets.device) // _STRETCH)
    sums = values.new_zeros(num_samples, stretches * num_classes).scatter_add(1, bins, values)
    return sums.view(num_samples, stretches, num_classes).sum(dim=1)


class DiceLoss(FunctionLoss):
    """``dice`` with its arguments."""

    function = staticmethod(dice)
    check = staticmethod(require_prices)
    per_sample: bool = False
    smooth: float = 0.0
    ignore_index: int = -100


class GeneralisedDiceLoss(FunctionLoss):
    """``generalised_dice`` with its arguments."""

    function = staticmethod(generalised_dice)
    per_sample: bool = False
    ignore_index: int = -100


class JaccardLoss(FunctionLoss):
    """``jaccard`` with its arguments."""

    function = staticmethod(jaccard)
    check = staticmethod(require_prices)
    per_sample: bool = False
    smooth: float = 0.0
    ignore_index: int = -100


class TverskyLoss(FunctionLoss):
    """``tversky`` with its arguments."""

    function = staticmethod(tversky)
    check = staticmethod(require_prices)
    alpha: float = 0.3
    beta: float = 0.7
    per_sample: bool = False
    smooth: float = 0.0
    ignore_index: int = -100


class FocalTverskyLoss(FunctionLoss):
    """``focal_tversky`` with its arguments."""

    function = staticmethod(focal_tversky)
    check = staticmethod(require_prices)
    gamma: float = 4 / 3
    alpha: float = 0.3
    beta: float = 0.7
    per_sample: bool = False
    smooth: float = 0.0
    ignore_index: int = -100
