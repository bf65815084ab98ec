"""Cross-entropy over sequences of unequal length, with the z-loss that keeps logits near a normaliser of 1.

z-loss: Zoph et al., ST-MoE: Designing Stable and Transferable Sparse Expert Models, 2022, eq. (5), there on router
logits; on those of the vocabulary: Chowdhery et al., PaLM, JMLR 2023, section 5.
"""

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import (
    require_argument,
    require_classes,
    require_dim,
    require_floating,
    require_tensors,
    require_within,
    wide,
)
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced_over

__all__ = ["SequenceCrossEntropyLoss", "sequence_cross_entropy"]


def sequence_cross_entropy(
    logits: Tensor,
    targets: Tensor,
    *,
    lengths: Tensor | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    z_loss: float = 0.0,
    per: Literal["token", "sequence"] = "token",
    reduction: Reduction = "mean",
) -> Tensor:
    """Cross-entropy + z_loss · logsumexp(logits)² of each token that counts.

    Args:
        logits: [B, T, V].
        targets: Classes [B, T] of an integer dtype.
        lengths: Tokens of each sequence [B], 0 to T; those after do not count. ``None``: ``targets`` say which.
        ignore_index: A target that does not count.
        label_smoothing: In [0, 1], as in torch.
        z_loss: From 0; 1e-4 in PaLM.
        per: ``"token"``: all tokens count alike, so long sequences count more. ``"sequence"``: all sequences count
            alike, each with the mean of its tokens.
        reduction: ``"mean"``: over the tokens that count, or the sequences with any; none: 0. ``"none"``: [B, T], or
            [B] per sequence, 0 where nothing counts.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> sequence_cross_entropy(torch.zeros(1, 3, 4), torch.tensor([[0, 1, -100]]))  # log 4
    tensor(1.3863)
    """
    _require_sequences(logits, targets, lengths)
    _require_arguments(label_smoothing, z_loss, per)
    if lengths is not None:
        targets = targets.masked_fill(
            torch.arange(targets.shape[1], device=targets.device) >= lengths[:, None], ignore_index
        )
    flat_logits, flat_targets = wide(logits).flatten(0, 1), targets.flatten()
    require_classes(flat_logits, flat_targets, ignore_index=ignore_index)
    tokens = F.cross_entropy(
        flat_logits, flat_targets, ignore_index=ignore_index, label_smoothing=label_smoothing, reduction="none"
    )
    counts = targets != ignore_index
    if z_loss:
        normaliser = tokens + _expected(flat_logits, flat_targets, ignore_index, label_smoothing)
        tokens = tokens + z_loss * normaliser.square() * counts.flatten()
    values, weights = tokens.view(targets.shape), counts
    if per == "sequence":
        values, weights = values.sum(dim=1) / counts.sum(dim=1).clamp(min=1), counts.any(dim=1)
    return reduced_over(values, weights, reduction)


def _expected(logits: Tensor, targets: Tensor, ignore_index: int, label_smoothing: float) -> Tensor:
    """The mean logit under the smoothed label [N]: cross-entropy plus this is logsumexp, without another pass."""
    known = targets.masked_fill(targets == ignore_index, 0)
    hit: Tensor = logits.gather(1, known[:, None]).squeeze(1)
    if label_smoothing == 0:
        return hit
    return (1 - label_smoothing) * hit + label_smoothing * logits.mean(dim=1)


def _require_sequences(logits: Tensor, targets: Tensor, lengths: Tensor | None) -> None:
    require_floating(logits=logits)
    require_dim("logits", logits, "[B, T, V]", least=3, most=3)
    require_tensors(targets=targets)
    if targets.shape != logits.shape[:2]:
        raise ValueError(
            f"targets must have shape [B, T] = {tuple(logits.shape[:2])} beside logits [B, T, V] = "
            f"{tuple(logits.shape)}, got {tuple(targets.shape)}{_remedy(logits, targets)}"
        )
    if lengths is None:
        return
    require_tensors(lengths=lengths)
    if lengths.is_floating_point() or lengths.dtype == torch.bool or lengths.shape != logits.shape[:1]:
        raise ValueError(
            f"lengths must be [B] = ({len(logits)},) of an integer dtype, got {lengths.dtype} of shape "
            f"{tuple(lengths.shape)}: give the number of tokens of each sequence, mask.sum(dim=1)"
        )
    require_within("lengths", lengths, 0, logits.shape[1], "they are numbers of tokens, at most T")


def _remedy(logits: Tensor, targets: Tensor) -> str:
    if targets.dim() == 2 and logits.shape[0] == targets.shape[0] and logits.shape[2] == targets.shape[1]:
        return ": transpose(1, 2) the logits"
    return ""


def _require_arguments(label_smoothing: float, z_loss: float, per: str) -> None:
    require_argument("label_smoothing", label_smoothing, low=0.0, high=1.0)
    require_argument("z_loss", z_loss, low=0.0)
    if per not in ("token", "sequence"):
        raise ValueError(f"per must be 'token' or 'sequence', got {per!r}")


class SequenceCrossEntropyLoss(FunctionLoss):
    """``sequence_cross_entropy`` with its arguments."""

    function = staticmethod(sequence_cross_entropy)
    check = staticmethod(_require_arguments)
    ignore_index: int = -100
    label_smoothing: float = 0.0
    z_loss: float = 0.0
    per: Literal["token", "sequence"] = "token"
    reduction: Reduction = "mean"

    def divisor(self, logits: Tensor, targets: Tensor) -> int:
        """What the sum is divided by: for the mean the tokens that count, or the sequences with any; else 1."""
        counts = targets != self.ignore_index
        return int((counts.any(dim=1) if self.per == "sequence" else counts).sum()) if self.reduction == "mean" else 1
