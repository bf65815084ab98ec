"""Overlap losses of labels by themselves: one mask, or several that may overlap.

As in ``regions``, with p = sigmoid(logits). A label without a target pixel is left out of the mean, and the loss is 0
where all are absent. What is predicted for it is then free, since labels take nothing from each other: add binary
cross-entropy, which charges for it.
"""

import torch
from torch import Tensor

from equipoise.losses.checks import require_alike, require_dim, require_mask, require_within, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.overlap import require_prices, tversky_of_counts

__all__ = [
    "BinaryDiceLoss",
    "BinaryFocalTverskyLoss",
    "BinaryJaccardLoss",
    "BinaryTverskyLoss",
    "binary_dice",
    "binary_focal_tversky",
    "binary_jaccard",
    "binary_tversky",
]


def binary_dice(
    logits: Tensor, targets: Tensor, *, mask: Tensor | None = None, per_sample: bool = False, smooth: float = 0.0
) -> Tensor:
    """1 - 2 TP / (Σ p + Σ t), the mean over the labels present; p = sigmoid(logits).

    Args:
        logits: [N, L, ...]; one label is [N, 1, ...].
        targets: 0 or 1, in floating point, of the same shape.
        mask: What counts, in bool, of the same shape; ``None``: everything.
        per_sample: Whether sums run over each sample's pixels, not over the batch; a sample then averages its labels,
            and the loss averages the samples that have any.
        smooth: Pixels counted as hits beside TP. Other libraries' smoothing of Dice is twice this.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> binary_dice(torch.zeros(1, 1, 4), torch.tensor([[[0.0, 0.0, 0.0, 1.0]]]))  # 1 - 2 · 0.5 / (2 + 1)
    tensor(0.6667)
    """
    return binary_tversky(logits, targets, alpha=0.5, beta=0.5, mask=mask, per_sample=per_sample, smooth=smooth)


def binary_jaccard(
    logits: Tensor, targets: Tensor, *, mask: Tensor | None = None, per_sample: bool = False, smooth: float = 0.0
) -> Tensor:
    """1 - TP / (Σ p + Σ t - TP), the mean over the labels present; p = sigmoid(logits).

    Args:
        logits: [N, L, ...]; one label is [N, 1, ...].
        targets: 0 or 1, in floating point, of the same shape.
        mask: What counts, in bool, of the same shape; ``None``: everything.
        per_sample: As in ``binary_dice``.
        smooth: Pixels counted as hits beside TP.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> binary_jaccard(torch.zeros(1, 1, 4), torch.tensor([[[0.0, 0.0, 0.0, 1.0]]]))  # 1 - 0.5 / 2.5
    tensor(0.8000)
    """
    return binary_tversky(logits, targets, alpha=1.0, beta=1.0, mask=mask, per_sample=per_sample, smooth=smooth)


def binary_tversky(
    logits: Tensor,
    targets: Tensor,
    *,
    alpha: float = 0.3,
    beta: float = 0.7,
    mask: Tensor | None = None,
    per_sample: bool = False,
    smooth: float = 0.0,
) -> Tensor:
    """1 - TP / (TP + alpha FP + beta FN), the mean over the labels present; p = sigmoid(logits).

    Args:
        logits: [N, L, ...]; one label is [N, 1, ...].
        targets: 0 or 1, in floating point, of the same shape.
        alpha: Price of false positives, from 0; with ``beta`` 0.5 is Dice, 1 is Jaccard.
        beta: Price of false negatives, from 0.
        mask: What counts, in bool, of the same shape; ``None``: everything.
        per_sample: As in ``binary_dice``.
        smooth: Pixels counted as hits beside TP.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> binary_tversky(torch.zeros(1, 1, 4), torch.tensor([[[0.0, 0.0, 0.0, 1.0]]]))  # 1 - 0.5 / (0.5 + 0.45 + 0.35)
    tensor(0.6154)
    """
    return binary_focal_tversky(
        logits, targets, gamma=1.0, alpha=alpha, beta=beta, mask=mask, per_sample=per_sample, smooth=smooth
    )


def binary_focal_tversky(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 4 / 3,
    alpha: float = 0.3,
    beta: float = 0.7,
    mask: Tensor | None = None,
    per_sample: bool = False,
    smooth: float = 0.0,
) -> Tensor:
    """(1 - TI)^(1 / gamma) of each label's Tversky index TI, the mean over the labels present; p = sigmoid(logits).

    Args:
        logits: [N, L, ...]; one label is [N, 1, ...].
        targets: 0 or 1, in floating point, of the same shape.
        gamma: Above 0; 1 is ``binary_tversky``, above it labels nearly right keep a larger gradient.
        alpha: Price of false positives, as in ``binary_tversky``; the paper's is that of false negatives.
        beta: Price of false negatives.
        mask: What counts, in bool, of the same shape; ``None``: everything.
        per_sample: As in ``binary_dice``.
        smooth: Pixels counted as hits beside TP.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> binary_focal_tversky(torch.zeros(1, 1, 2), torch.tensor([[[0.0, 1.0]]]), gamma=2.0)  # √(1 - 0.5 / 1)
    tensor(0.7071)
    """
    require_prices(alpha, beta, gamma, smooth)
    counts = _label_counts(logits, targets, mask, per_sample)
    return tversky_of_counts(*counts, alpha, beta, gamma, smooth)


def _label_counts(
    logits: Tensor, targets: Tensor, mask: Tensor | None, per_sample: bool
) -> tuple[Tensor, Tensor, Tensor]:
    """TP, Σ p and Σ t [rows, L]: a row per sample, or one for the batch."""
    require_alike(logits=logits, targets=targets)
    require_dim("logits", logits, "[N, L, ...] (one label: unsqueeze(1))", least=2)
    probabilities, targets = wide(logits).sigmoid(), wide(targets)
    if mask is not None:
        require_mask(mask, logits=logits)
        targets = torch.where(mask, targets, 0)
    require_within("targets", targets, 0.0, 1.0, "give labels 0 or 1")
    dims = tuple(range(2, logits.dim())) if per_sample else (0, *range(2, logits.dim()))
    hits, actual = _sums(probabilities * targets, dims), _sums(targets, dims)
    predicted = _sums(probabilities if mask is None else torch.where(mask, probabilities, 0), dims)
    return hits, predicted, actual


def _sums(values: Tensor, dims: tuple[int, ...]) -> Tensor:
    """[rows, L]; torch takes no dimensions for all of them."""
    sums = values.sum(dims) if dims else values
    return sums if sums.dim() == 2 else sums.unsqueeze(0)


class BinaryDiceLoss(FunctionLoss):
    """``binary_dice`` with its arguments."""

    function = staticmethod(binary_dice)
    check = staticmethod(require_prices)
    per_sample: bool = False
    smooth: float = 0.0


class BinaryJaccardLoss(FunctionLoss):
    """``binary_jaccard`` with its arguments."""

    function = staticmethod(binary_jaccard)
    check = staticmethod(require_prices)
    per_sample: bool = False
    smooth: float = 0.0


class BinaryTverskyLoss(FunctionLoss):
    """``binary_tversky`` with its arguments."""

    function = staticmethod(binary_tversky)
    check = staticmethod(require_prices)
    alpha: float = 0.3
    beta: float = 0.7
    per_sample: bool = False
    smooth: float = 0.0


class BinaryFocalTverskyLoss(FunctionLoss):
    """``binary_focal_tversky`` with its arguments."""

    function = staticmethod(binary_focal_tversky)
    check = staticmethod(require_prices)
    gamma: float = 4 / 3
    alpha: float = 0.3
    beta: float = 0.7
    per_sample: bool = False
    smooth: float = 0.0
