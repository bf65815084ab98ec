"""Losses for any number of labels per sample: asymmetric focusing, and F1 made soft.

Ridnik et al., Asymmetric Loss for Multi-Label Classification, ICCV 2021. Soft F1 puts probabilities in
the counts of F1, as Bénédict et al., sigmoidF1, TMLR 2022, without their slope and offset.
"""

from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_alike, require_argument, require_dim, require_mask, require_within, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced, reduced_over

__all__ = ["AsymmetricLoss", "DoubleSoftF1Loss", "SoftF1Loss", "asymmetric", "double_soft_f1", "soft_f1"]

Average = Literal["macro", "micro", "samples"]


def asymmetric(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma_pos: float = 0.0,
    gamma_neg: float = 4.0,
    clip: float = 0.05,
    reduction: Reduction = "mean",
) -> Tensor:
    """-(1 - p)^gamma_pos log p of a positive, -q^gamma_neg log(1 - q) with q = max(p - clip, 0) of a negative.

    Args:
        logits: Of any shape.
        targets: 0 or 1, in floating point, of the same shape; between them, both labels count by their shares.
        gamma_pos: From 0; the higher, the less the easy positives count.
        gamma_neg: From 0; the higher, the less the easy negatives count.
        clip: In [0, 1]: a negative below this probability does not count at all.
        reduction: As in torch. The paper's code sums: its learning rates are for the sum.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> asymmetric(torch.zeros(2), torch.tensor([1.0, 0.0]), gamma_neg=1.0, clip=0.25, reduction="none")
    tensor([0.6931, 0.0719])
    """
    require_alike(logits=logits, targets=targets)
    require_within("targets", targets, 0.0, 1.0, "give labels 0 or 1")
    _require_focusing(gamma_pos, gamma_neg, clip)
    logits = wide(logits)
    targets = targets.to(logits.dtype)
    least = torch.finfo(logits.dtype).tiny  # where a power of it has the gradient of its limit at 0, not NaN
    rest, shifted = (-logits).sigmoid(), logits.sigmoid() - clip
    positive = F.logsigmoid(logits)
    if gamma_pos > 0:
        positive = rest.clamp(min=least).pow(gamma_pos) * positive
    # 1 - q = rest + clip is no less than the clip: with one, its logarithm may be taken
    log_miss = (rest + clip).clamp(max=1).log() if clip > 0 else F.logsigmoid(-logits)
    negative = shifted.clamp(min=least).pow(gamma_neg) * log_miss
    return -reduced(negative.lerp(positive, targets), reduction)


def soft_f1(
    logits: Tensor,
    targets: Tensor,
    *,
    beta: float = 1.0,
    average: Average = "macro",
    mask: Tensor | None = None,
) -> Tensor:
    """1 - (1 + beta²) tp / (beta² · positives + predicted), tp = sum p t, positives = sum t, predicted = sum p.

    As scikit-learn's ``f1_score(..., zero_division=0)``, a label without positives in the batch scores 0: it costs 1
    and has no gradient, so that false alarms there go unpunished. Use large batches, or add a loss that sees them.

    Args:
        logits: Of every label [N, L].
        targets: 0 or 1, in floating point [N, L].
        beta: Above 0; the higher, the more recall counts beside precision.
        average: ``"macro"``: the mean over labels, each over the batch; ``"micro"``: of all counts together;
            ``"samples"``: the mean over samples, each over its labels.
        mask: True where a target counts [N, L]; the others may hold anything. A label (or sample) without any that
            counts is left out of the mean; none at all: 0.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> soft_f1(torch.zeros(2, 1), torch.tensor([[1.0], [0.0]]))  # 1 - 2 · 0.5 / (1 + 1)
    tensor(0.5000)
    """
    _require_f_score(beta, average)
    hits, predicted, positives, cells = _soft_counts(logits, targets, average, mask)
    return _mean_of_scored(1 - _f_score(hits, predicted, positives, beta), cells)


def double_soft_f1(logits: Tensor, targets: Tensor, *, mask: Tensor | None = None) -> Tensor:
    """1 - (F1 of the positives + F1 of the negatives) / 2 of every label, soft as in ``soft_f1``; the mean over labels.

    The second half sees the false alarms of a label without positives in the batch.

    Args:
        logits: Of every label [N, L].
        targets: 0 or 1, in floating point [N, L].
        mask: True where a target counts [N, L]; the others may hold anything. A label without any that counts is left
            out of the mean; none at all: 0.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> double_soft_f1(torch.full((2, 1), -100.0), torch.tensor([[1.0], [0.0]]))  # 1 - (0 + 2 · 1 / (1 + 2)) / 2
    tensor(0.6667)
    """
    hits, predicted, positives, cells = _soft_counts(logits, targets, "macro", mask)
    of_positives = _f_score(hits, predicted, positives, 1.0)
    of_negatives = _f_score(cells - predicted - positives + hits, cells - predicted, cells - positives, 1.0)
    return _mean_of_scored(1 - (of_positives + of_negatives) / 2, cells)


class _SoftCounts(NamedTuple):
    hits: Tensor  # sum p t
    predicted: Tensor  # sum p
    positives: Tensor  # sum t
    cells: Tensor  # number of targets that count


def _soft_counts(logits: Tensor, targets: Tensor, average: Average, mask: Tensor | None) -> _SoftCounts:
    """Of every label [L], of all together [], or of every sample [N]."""
    require_alike(logits=logits, targets=targets)
    require_dim("logits", logits, "[N, L]", least=2, most=2)
    probabilities, targets = wide(logits).sigmoid(), wide(targets)
    if mask is not None:
        require_mask(mask, logits=logits)
        probabilities, targets = probabilities.masked_fill(~mask, 0), targets.masked_fill(~mask, 0)
    require_within("targets", targets, 0.0, 1.0, "give labels 0 or 1")
    dims = {"macro": (0,), "micro": (0, 1), "samples": (1,)}[average]
    positives = targets.sum(dims)
    if mask is None:
        cells = torch.full_like(positives, targets.numel() / max(positives.numel(), 1))
    else:
        cells = mask.sum(dims).to(targets.dtype)
    return _SoftCounts((probabilities * targets).sum(dims), probabilities.sum(dims), positives, cells)


def _f_score(hits: Tensor, predicted: Tensor, positives: Tensor, beta: float) -> Tensor:
    """F-beta; 0 where there are no positives, whatever is predicted."""
    sizes = beta**2 * positives + predicted
    return (1 + beta**2) * hits / sizes.where(positives > 0, 1.0)


def _mean_of_scored(losses: Tensor, cells: Tensor) -> Tensor:
    """Over those with a target that counts."""
    scored = cells > 0
    return reduced_over(losses * scored, scored, "mean")


def _require_focusing(gamma_pos: float, gamma_neg: float, clip: float) -> None:
    require_argument("gamma_pos", gamma_pos, low=0.0)
    require_argument("gamma_neg", gamma_neg, low=0.0)
    require_argument("clip", clip, low=0.0, high=1.0)


def _require_f_score(beta: float, average: str) -> None:
    require_argument("beta", beta, low=0.0, open_low=True)
    if average not in get_args(Average):
        raise ValueError(f"average must be 'macro', 'micro' or 'samples', got {average!r}")


class AsymmetricLoss(FunctionLoss):
    """``asymmetric`` with its arguments."""

    function = staticmethod(asymmetric)
    check = staticmethod(_require_focusing)
    gamma_pos: float = 0.0
    gamma_neg: float = 4.0
    clip: float = 0.05
    reduction: Reduction = "mean"


class SoftF1Loss(FunctionLoss):
    """``soft_f1`` with its arguments."""

    function = staticmethod(soft_f1)
    check = staticmethod(_require_f_score)
    beta: float = 1.0
    average: Average = "macro"


class DoubleSoftF1Loss(FunctionLoss):
    """``double_soft_f1``."""

    function = staticmethod(double_soft_f1)
