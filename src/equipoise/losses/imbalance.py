"""Losses and weights for classes of which some are rare, from how often each occurs in the training set.

Menon et al., Long-Tail Learning via Logit Adjustment, ICLR 2021, eq. (10); Cao et al., Learning Imbalanced Datasets
with Label-Distribution-Aware Margin Loss, NeurIPS 2019; Cui et al., Class-Balanced Loss Based on
Effective Number of Samples, CVPR 2019. A class without a sample has no frequency here: it is an error.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import (
    require_argument,
    require_classes,
    require_integers,
    require_weight,
    sees_values,
    wide,
)
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced_over
from equipoise.missing import weight_of

__all__ = ["LDAMLoss", "LogitAdjustedLoss", "effective_number_weights", "ldam", "logit_adjusted", "positive_weights"]


def logit_adjusted(
    logits: Tensor,
    targets: Tensor,
    *,
    class_counts: Tensor,
    tau: float = 1.0,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
    beta: float = 1.0,
) -> Tensor:
    """Cross-entropy of logits + tau · log(class prior); at test time use the logits as they are.

    With beta below 1 the prior is that of effective numbers, (1 - beta^count) / (1 - beta), a combination of our own:
    frequent classes then differ little, so that rare ones gain and the others stay near cross-entropy.

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...].
        class_counts: Of each class's training samples [C], integers from 1.
        tau: From 0, where it is cross-entropy; 1 fits the mean of the accuracies of all classes.
        ignore_index: A target that does not count.
        reduction: As in torch; all ignored: 0.
        beta: In [0, 1]; 1 takes the counts themselves, 0 is cross-entropy.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> logit_adjusted(torch.zeros(1, 2), torch.tensor([1]), class_counts=torch.tensor([3, 1]))  # -log(1/4)
    tensor(1.3863)
    """
    _require_inputs(logits, targets, class_counts, ignore_index)
    require_argument("tau", tau, low=0.0)
    require_argument("beta", beta, low=0.0, high=1.0)
    numbers = _effective_numbers(class_counts.to(wide(logits).dtype), beta)
    shifts = tau * (numbers / numbers.sum()).log()
    losses = F.cross_entropy(
        wide(logits) + _over_classes(shifts, logits), targets, ignore_index=ignore_index, reduction="none"
    )
    return reduced_over(losses, (targets != ignore_index).to(losses.dtype), reduction)


def ldam(
    logits: Tensor,
    targets: Tensor,
    *,
    class_counts: Tensor,
    max_margin: float = 0.5,
    scale: float = 30.0,
    weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy of scale · (logits - margin of the target class at its logit), margin_j ∝ 1 / count_j^(1/4).

    Args:
        logits: [N, C, ...]: cosines, of normalised features and normalised class vectors.
        targets: Classes [N, ...].
        class_counts: Of each class's training samples [C], integers from 1.
        max_margin: Of the rarest class, from 0.
        scale: What the cosines are multiplied by, above 0; 1 for logits that are no cosines.
        weight: Of each class [C]. As in torch, ``"mean"`` divides by the weights of the targets.
        ignore_index: A target that does not count.
        reduction: As in torch; all ignored: 0.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> logits, counts = torch.zeros(1, 2), torch.tensor([16, 1])  # the margins 1/4 and 1/2
    >>> ldam(logits, torch.tensor([0]), class_counts=counts, scale=4.0)  # log(1 + e)
    tensor(1.3133)
    """
    _require_inputs(logits, targets, class_counts, ignore_index)
    _require_margins(max_margin, scale)
    require_weight(weight, logits.shape[1])
    kept = targets != ignore_index
    classes = targets.masked_fill(~kept, 0)
    counts = class_counts.to(wide(logits).dtype)
    margins = max_margin * (counts.min() / counts).pow(0.25)
    scaled = (scale * wide(logits)).scatter_add_(1, classes.unsqueeze(1), -scale * margins[classes].unsqueeze(1))
    losses = F.cross_entropy(scaled, targets, ignore_index=ignore_index, reduction="none")
    if weight is None:
        return reduced_over(losses, kept.to(losses.dtype), reduction)
    weights = wide(weight)[classes] * kept
    return reduced_over(losses * weights, weights, reduction)


def effective_number_weights(class_counts: Tensor, *, beta: float = 0.999) -> Tensor:
    """(1 - beta) / (1 - beta^count) of each class, scaled to sum to C: for ``weight`` of a loss over classes.

    Args:
        class_counts: Of each class's training samples [C], integers from 1.
        beta: In [0, 1): 0 weighs all alike; near 1, inversely to the counts.

    Raises:
        ValueError: If a value is out of its range.

    >>> effective_number_weights(torch.tensor([1, 2]), beta=0.5)  # 1 and 2/3, scaled
    tensor([1.2000, 0.8000])
    """
    _require_counts("class_counts", class_counts)
    require_argument("beta", beta, low=0.0)
    if beta >= 1:
        raise ValueError(f"beta must lie in [0, 1), got {beta!r}: its limit at 1 is 1 / class_counts")
    weights = 1 / _effective_numbers(class_counts.double(), beta)
    return (len(weights) * weights / weights.sum()).to(torch.get_default_dtype())


def positive_weights(label_counts: Tensor, *, num_samples: int) -> Tensor:
    """(num_samples - count) / count, negatives per positive: for ``pos_weight`` of ``torch.nn.BCEWithLogitsLoss``.

    Args:
        label_counts: Of each label's positive training samples [L], integers from 1.
        num_samples: Of the training set, at least the largest count. A label of all samples weighs 0.

    Raises:
        ValueError: If a value is out of its range.

    >>> positive_weights(torch.tensor([1, 5]), num_samples=10)
    tensor([9., 1.])
    """
    _require_counts("label_counts", label_counts)
    if sees_values(label_counts) and label_counts.numel() and num_samples < label_counts.max():
        raise ValueError(
            f"num_samples must be at least the largest of label_counts, got {num_samples} and "
            f"{label_counts.max().item()}: count samples, not labels"
        )
    counts = label_counts.double()
    return ((num_samples - counts) / counts).to(torch.get_default_dtype())


def _effective_numbers(class_counts: Tensor, beta: float) -> Tensor:
    """(1 - beta^count) / (1 - beta); its limits are 1 at beta = 0 and the count at 1."""
    if beta == 1:
        return class_counts
    log_beta = math.log(beta) if beta > 0 else -math.inf
    # without 1 - beta^count, which loses the digits of beta near 1
    return torch.expm1(class_counts * log_beta) / (beta - 1)


def _over_classes(values: Tensor, logits: Tensor) -> Tensor:
    """[C] beside [N, C, ...]."""
    return values.view(-1, *[1] * (logits.dim() - 2))


def _require_inputs(logits: Tensor, targets: Tensor, class_counts: Tensor, ignore_index: int) -> None:
    require_classes(logits, targets, ignore_index=ignore_index)
    _require_counts("class_counts", class_counts)
    if len(class_counts) != logits.shape[1]:
        raise ValueError(
            f"class_counts must have shape [C] = ({logits.shape[1]},) beside logits {tuple(logits.shape)}, "
            f"got {tuple(class_counts.shape)}: torch.bincount(targets, minlength={logits.shape[1]}) of the training set"
        )


def _require_counts(name: str, counts: Tensor) -> None:
    require_integers(name, counts)
    if counts.dim() != 1:
        raise ValueError(f"{name} must have shape [C], one count per class, got {tuple(counts.shape)}")
    if counts.numel() and sees_values(counts) and counts.min() < 1:
        raise ValueError(
            f"{name} must be at least 1, got {counts.min().item()} at {int(counts.argmin())}: "
            "leave a class without samples out, or count it once"
        )


def _require_margins(max_margin: float, scale: float) -> None:
    require_argument("max_margin", max_margin, low=0.0)
    require_argument("scale", scale, low=0.0, open_low=True)


def _require_logit_adjusted(class_counts: Tensor, tau: float, beta: float) -> None:
    _require_counts("class_counts", class_counts)
    require_argument("tau", tau, low=0.0)
    require_argument("beta", beta, low=0.0, high=1.0)


def _require_ldam(class_counts: Tensor, max_margin: float, scale: float, weight: Tensor | None) -> None:
    _require_counts("class_counts", class_counts)
    _require_margins(max_margin, scale)
    require_weight(weight, len(class_counts))


class LogitAdjustedLoss(FunctionLoss):
    """``logit_adjusted`` with its arguments; ``class_counts`` is a buffer."""

    function = staticmethod(logit_adjusted)
    check = staticmethod(_require_logit_adjusted)
    class_counts: Tensor
    tau: float = 1.0
    ignore_index: int = -100
    reduction: Reduction = "mean"
    beta: float = 1.0


class LDAMLoss(FunctionLoss):
    """``ldam`` with its arguments; ``class_counts`` and ``weight`` are buffers."""

    function = staticmethod(ldam)
    check = staticmethod(_require_ldam)
    class_counts: Tensor
    max_margin: float = 0.5
    scale: float = 30.0
    weight: Tensor | None = None
    ignore_index: int = -100
    reduction: Reduction = "mean"

    def divisor(self, logits: Tensor, targets: Tensor) -> float:
        """What the sum is divided by: for the mean the weights of the targets, or how many count; else 1."""
        return weight_of(targets[targets != self.ignore_index], self.weight) if self.reduction == "mean" else 1
