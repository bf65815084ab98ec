"""Losses for levels in order, of K levels as K - 1 questions: is it above level k?

Cao, Mirjalili and Raschka, Rank Consistent Ordinal Regression for Neural Networks, Pattern Recognition Letters 2020
(CORAL: K - 1 logits that share one linear map and differ by a bias each); Shi, Cao and Raschka, Deep Neural
Networks for Rank-Consistent Ordinal Regression Based on Conditional Probabilities, Pattern Analysis and Applications
2023 (CORN: any K - 1 logits, the k-th asked only of samples above level k - 1).
"""

import math

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_dim, require_floating, require_integers, sees_values, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced, reduced_over

__all__ = ["CoralLoss", "CornLoss", "coral", "coral_levels", "corn", "corn_levels"]


def coral(logits: Tensor, targets: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """sum_k binary cross-entropy of logit_k against [target > k], per sample.

    Args:
        logits: Of being above level 0 to K - 2 [N, K - 1]; ``coral_levels`` reads them.
        targets: Levels 0 to K - 1, integers [N].
        reduction: As in torch.

    Raises:
        ValueError: If shapes do not match, or a target is no level.

    >>> coral(torch.zeros(1, 2), torch.tensor([1]))  # 2 log 2
    tensor(1.3863)
    """
    _require_levels(logits, targets)
    return reduced(_questions(logits, targets).sum(dim=1), reduction)


def corn(logits: Tensor, targets: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """sum_k [target >= k] · binary cross-entropy of logit_k against [target > k]; the mean is over the asked questions.

    Args:
        logits: Of being above level k for what is above k - 1, k = 0 to K - 2 [N, K - 1]; ``corn_levels`` reads them.
        targets: Levels 0 to K - 1, integers [N].
        reduction: ``"mean"`` divides by the number of [target >= k], as the paper does; ``"none"`` is per sample.

    Raises:
        ValueError: If shapes do not match, or a target is no level.

    >>> corn(torch.zeros(1, 2), torch.tensor([0]), reduction="sum")  # only whether it is above 0 is asked: log 2
    tensor(0.6931)
    """
    _require_levels(logits, targets)
    asked = targets.unsqueeze(1) >= _levels(logits)
    losses = _questions(logits, targets).mul(asked).sum(dim=1)
    return reduced_over(losses, asked, reduction)


def coral_levels(logits: Tensor) -> Tensor:
    """How many levels a sample is above with p > 1/2: [N] of logits [N, K - 1] trained by ``coral``.

    >>> coral_levels(torch.tensor([[2.0, 1.0, -1.0]]))
    tensor([2])
    """
    _require_level_logits(logits)
    return (logits > 0).sum(dim=1)


def corn_levels(logits: Tensor) -> Tensor:
    """How many levels a sample is above with p > 1/2, p_k the product of the first k sigmoids: of ``corn``'s logits.

    >>> corn_levels(torch.tensor([[1.0, 0.5, 3.0]]))  # 0.73, then 0.73 · 0.62 = 0.46
    tensor([1])
    """
    _require_level_logits(logits)
    return (F.logsigmoid(wide(logits)).cumsum(dim=1) > math.log(0.5)).sum(dim=1)


def _levels(logits: Tensor) -> Tensor:
    return torch.arange(logits.shape[1], device=logits.device)


def _questions(logits: Tensor, targets: Tensor) -> Tensor:
    """Binary cross-entropy of every question [N, K - 1]."""
    logits = wide(logits)
    above = (targets.unsqueeze(1) > _levels(logits)).to(logits.dtype)
    return F.binary_cross_entropy_with_logits(logits, above, reduction="none")


def _require_level_logits(logits: Tensor) -> None:
    require_floating(logits=logits)
    require_dim("logits", logits, "[N, K - 1]", least=2, most=2)


def _require_levels(logits: Tensor, targets: Tensor) -> None:
    """Raise unless targets [N] are levels 0 to K - 1 beside logits [N, K - 1]."""
    _require_level_logits(logits)
    require_integers("targets", targets, "levels ")
    if targets.shape != logits.shape[:1]:
        raise ValueError(
            f"targets must have shape [N] = ({len(logits)},) beside logits [N, K - 1] = {tuple(logits.shape)}, "
            f"got {tuple(targets.shape)}: give the level itself, not its encoding"
        )
    if targets.numel() and sees_values(targets):
        least, most = (int(value) for value in targets.aminmax())
        if least < 0 or most > logits.shape[1]:
            raise ValueError(
                f"targets must be levels 0 to {logits.shape[1]}, got {least if least < 0 else most}: "
                "K levels start at 0 and have K - 1 logits"
            )


class CoralLoss(FunctionLoss):
    """``coral`` with its arguments."""

    function = staticmethod(coral)
    reduction: Reduction = "mean"


class CornLoss(FunctionLoss):
    """``corn`` with its arguments."""

    function = staticmethod(corn)
    reduction: Reduction = "mean"

    def divisor(self, logits: Tensor, targets: Tensor) -> int:
        """What the sum over questions is divided by: for the mean the number of questions asked."""
        asked = (targets + 1).clamp(max=logits.shape[1])
        return int(asked.sum()) if self.reduction == "mean" else 1
