"""Triplet loss: an anchor lies nearer to its own class than to others, by a margin.

Batch-hard and batch-all: Hermans, Beyer, Leibe, In Defense of the Triplet Loss for Person Re-Identification, 2017,
eq. (5) and (6). Semi-hard negatives: Schroff et al., FaceNet, CVPR 2015, eq. (4); there of squared distances.
"""

from typing import Literal

import torch
from torch import Tensor

from equipoise.losses.checks import require_argument, wide
from equipoise.losses.features import require_labelled
from equipoise.losses.module import FunctionLoss

__all__ = ["TripletLoss", "triplet"]

Mining = Literal["hard", "semi-hard", "all"]


def triplet(features: Tensor, labels: Tensor, *, margin: float = 0.2, mining: Mining = "hard") -> Tensor:
    """Mean of max(0, d(a, p) − d(a, n) + margin) over the triplets mined, with d the Euclidean distance.

    A margin is a length: with 0.2 give unit vectors. Memory is O(N²), as no list of triplets is made.

    Args:
        features: [N, D].
        labels: Classes [N] of an integer dtype.
        margin: From 0.
        mining: ``"hard"``: for each anchor its farthest positive and nearest negative, mean over the anchors that have
            both. ``"semi-hard"``: for each anchor and positive the nearest negative beyond the positive, mean over the
            pairs where that lies within the margin. ``"all"``: all triplets, mean over those above 0. No such
            triplet: 0.

    Raises:
        ValueError: If shapes do not match, or a value is out of its range.

    >>> triplet(torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([0, 0, 1]), margin=2.0)  # (1-3+2 + 1-2+2) / 2
    tensor(0.5000)
    """
    require_labelled(features, labels)
    _require_arguments(margin, mining)
    same = labels[:, None] == labels
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    total, count = _MINED[mining](_distances(wide(features)), positive, ~same, margin)
    return total / count.clamp(min=1)


def _distances(features: Tensor) -> Tensor:
    """[N, N]; the subgradient at 0 is 0. By differences: products would cost close pairs their digits."""
    return torch.cdist(features, features, compute_mode="donot_use_mm_for_euclid_dist")


def _hard(distances: Tensor, positive: Tensor, negative: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The sum over anchors, and their number."""
    anchors = positive.any(dim=1) & negative.any(dim=1)
    if len(distances) == 0:
        return distances.sum(), anchors.sum()  # the maximum of nothing is not defined
    farthest = distances.where(positive, 0.0).amax(dim=1)
    nearest = distances.where(negative, torch.inf).amin(dim=1)
    return ((farthest - nearest + margin).relu() * anchors).sum(), anchors.sum()


def _semi_hard(distances: Tensor, positive: Tensor, negative: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The sum over anchors and positives, and the number of those with a negative in (d, d + margin)."""
    ranked = _ranked(distances, negative)
    place = torch.searchsorted(ranked.detach(), distances.detach().contiguous(), right=True)
    beyond = ranked.gather(1, place.clamp(max=max(len(ranked) - 1, 0)))
    pairs = positive & (beyond < distances + margin)
    return ((distances - beyond.where(pairs, 0.0) + margin) * pairs).sum(), pairs.sum()  # NaN stays NaN


def _all(distances: Tensor, positive: Tensor, negative: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """The sum over triplets above 0, and their number: of the nearest negatives, as many as lie below d + margin."""
    ranked = _ranked(distances, negative)
    reach = distances + margin
    number = torch.searchsorted(ranked.detach(), reach.detach().contiguous()).where(positive, 0)
    sums = torch.cat([ranked.new_zeros(len(ranked), 1), ranked.cumsum(dim=1)], dim=1)
    return (number * reach - sums.gather(1, number)).sum(), number.sum()


def _ranked(distances: Tensor, negative: Tensor) -> Tensor:
    """The distances to each anchor's negatives in order, then infinity."""
    return distances.where(negative, torch.inf).sort(dim=1).values


_MINED = {"hard": _hard, "semi-hard": _semi_hard, "all": _all}


def _require_arguments(margin: float, mining: str) -> None:
    require_argument("margin", margin, low=0.0)
    if mining not in _MINED:
        raise ValueError(f"mining must be 'hard', 'semi-hard' or 'all', got {mining!r}")


class TripletLoss(FunctionLoss):
    """``triplet`` with its arguments."""

    function = staticmethod(triplet)
    check = staticmethod(_require_arguments)
    margin: float = 0.2
    mining: Mining = "hard"
