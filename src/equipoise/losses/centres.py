"""Objects as centres on a grid of cells: a map that peaks at every centre, and a box around it.

Zhou, Wang, Krähenbühl, Objects as Points, 2019, eq. (1): the map. Tian et al., FCOS, ICCV 2019, eq. (1): a box as
distances from its cell to its four sides; Rezatofighi et al., CVPR 2019: GIoU.
"""

import torch
from torch import Tensor

from equipoise.losses.boxes import giou
from equipoise.losses.checks import (
    require_alike,
    require_argument,
    require_dim,
    require_floating,
    require_same_shape,
    require_within,
    sees_values,
    wide,
)
from equipoise.losses.focal import binary_focal
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced_over

__all__ = ["DenseGIoULoss", "HeatMapFocalLoss", "dense_giou", "heat_map_focal"]


def heat_map_focal(
    logits: Tensor, targets: Tensor, *, gamma: float = 2.0, beta: float = 4.0, reduction: Reduction = "mean"
) -> Tensor:
    """-(1 - p)^gamma log p where the target is 1, elsewhere -(1 - target)^beta p^gamma log(1 - p).

    The nearer a cell is to a centre, the less it costs to take it for one.

    Args:
        logits: Of any shape, [N, C, height, width] for C classes.
        targets: In [0, 1], in floating point, of the same shape: 1 at a centre, falling off around it.
        gamma: From 0, α in the paper; the higher, the less the easy cells count.
        beta: From 0; the higher, the less the cells around a centre count.
        reduction: As in torch, but ``"mean"`` divides the sum by the number of centres, by 1 where there is none.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> heat_map_focal(torch.zeros(2), torch.tensor([1.0, 0.5]))  # (1/4 + 1/16 · 1/4) log 2, by 1 centre
    tensor(0.1841)
    """
    require_alike(logits=logits, targets=targets)
    require_within("targets", targets, 0.0, 1.0, "1 is a centre")
    _require_arguments(gamma, beta)
    centres = targets == 1
    weights = torch.where(centres, 1, (1 - wide(targets)).pow(beta))
    losses = binary_focal(logits, centres.to(logits.dtype), gamma=gamma, reduction="none")
    return reduced_over(weights * losses, centres, reduction)


def dense_giou(prediction: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """``giou`` of the boxes at the cells that hold an object, each given as distances from its cell to its sides.

    Args:
        prediction: Distances left, top, right, bottom [N, 4, ...], in any unit.
        target: The same; NaN in all four of a cell without object, which does not count.
        reduction: As in torch; ``"none"`` gives [N, ...], 0 at cells without object; no object at all: 0.

    Raises:
        ValueError: If shapes are not these, a target is NaN in part, or its sides are not in order.

    >>> target = torch.tensor([[[1.0, torch.nan], [1.0, torch.nan], [1.0, torch.nan], [1.0, torch.nan]]])
    >>> dense_giou(torch.full((1, 4, 2), 2.0), target)  # 1 - 4 / 16
    tensor(0.7500)
    """
    require_floating(prediction=prediction, target=target)
    require_dim("prediction", prediction, "[N, 4, ...]", least=2)
    require_same_shape(prediction=prediction, target=target)
    if prediction.shape[1] != 4:
        raise ValueError(f"prediction must have shape [N, 4, ...], of left, top, right, bottom, got {prediction.shape}")
    missing = target.isnan()
    present = ~missing.any(dim=1)
    if sees_values(target) and not torch.equal(present, ~missing.all(dim=1)):
        raise ValueError("target must be NaN in all four distances of a cell, or in none: NaN is a cell without object")
    boxes = (_around_cells(distances, present) for distances in (prediction, target))
    losses = giou(*boxes, reduction="none").view(present.shape)
    return reduced_over(losses, present, reduction)


def _around_cells(distances: Tensor, present: Tensor) -> Tensor:
    """Boxes x1, y1, x2, y2 [M, 4] with the cell as origin; where no object is, one box for both, so no loss."""
    kept = distances.movedim(1, -1).flatten(0, -2).where(present.flatten()[:, None], 1.0)
    return torch.cat([-kept[:, :2], kept[:, 2:]], dim=1)


def _require_arguments(gamma: float, beta: float) -> None:
    require_argument("gamma", gamma, low=0.0)
    require_argument("beta", beta, low=0.0)


class HeatMapFocalLoss(FunctionLoss):
    """``heat_map_focal`` with its arguments."""

    function = staticmethod(heat_map_focal)
    check = staticmethod(_require_arguments)
    gamma: float = 2.0
    beta: float = 4.0
    reduction: Reduction = "mean"

    def divisor(self, logits: Tensor, targets: Tensor) -> int:
        """What the sum over cells is divided by: for the mean the number of centres, 1 where there is none."""
        return max(int((targets == 1).sum()), 1) if self.reduction == "mean" else 1


class DenseGIoULoss(FunctionLoss):
    """``dense_giou`` with its arguments."""

    function = staticmethod(dense_giou)
    reduction: Reduction = "mean"
