"""Supervised contrastive loss: samples of a class together, all others apart.

Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, eq. (2).
"""

import torch
from torch import Tensor

from equipoise.losses.checks import require_temperature, wide
from equipoise.losses.features import products, require_labelled, unit
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced_over

__all__ = ["SupervisedContrastiveLoss", "supervised_contrastive"]


def supervised_contrastive(
    features: Tensor, labels: Tensor, *, temperature: float = 0.1, reduction: Reduction = "mean"
) -> Tensor:
    """Mean over an anchor's positives of −log softmax(cosine / temperature) among all other samples.

    Args:
        features: [N, D] of any length; two views of a batch are [2N, D], with its labels twice.
        labels: Classes [N] of an integer dtype; each sample its own: SimCLR's loss, where views share a label.
        temperature: Positive.
        reduction: ``"mean"``: over the anchors that have a positive; none has: 0. ``"sum"``: eq. (2). ``"none"``: [N],
            0 for those without.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> supervised_contrastive(torch.eye(3), torch.tensor([0, 0, 1]))  # log 2
    tensor(0.6931)
    """
    require_labelled(features, labels)
    require_temperature(temperature)
    directions = unit(wide(features))
    logits = products(directions / temperature, directions)
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = (labels[:, None] == labels) & ~itself
    number = positive.sum(dim=1)
    attraction = logits.where(positive, 0.0).sum(dim=1) / number.clamp(min=1)
    others = logits.masked_fill(itself, -torch.inf).logsumexp(dim=1)
    losses = (others - attraction).where(number > 0, 0.0)
    return reduced_over(losses, number > 0, reduction)


class SupervisedContrastiveLoss(FunctionLoss):
    """``supervised_contrastive`` with its arguments."""

    function = staticmethod(supervised_contrastive)
    check = staticmethod(require_temperature)
    temperature: float = 0.1
    reduction: Reduction = "mean"
