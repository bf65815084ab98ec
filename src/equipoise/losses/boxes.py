"""Box losses: 1 - intersection over union of paired boxes, and what pulls boxes together that do not meet.

Boxes are corners x1, y1, x2, y2 in any unit: the losses do not depend on it. A predicted box with x2 < x1 has width 0,
and its enclosure holds both corners. A box without area overlaps nothing: its IoU is 0, with itself too.

Rezatofighi et al., Generalized Intersection over Union, CVPR 2019, algorithm 1. Zheng et al., Distance-IoU Loss,
AAAI 2020: DIoU and CIoU.
"""

import math

import torch
from torch import Tensor

from equipoise.losses.checks import require_dim, require_floating, require_same_shape, sees_values, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced

__all__ = ["CIoULoss", "DIoULoss", "GIoULoss", "IoULoss", "ciou", "diou", "giou", "iou"]


def iou(prediction: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """1 - IoU of paired boxes; without a gradient where they do not meet.

    Args:
        prediction: Boxes x1, y1, x2, y2 [N, 4].
        target: The box of each, [N, 4], with x1 <= x2 and y1 <= y2.
        reduction: As in torch; ``"none"`` gives [N].

    Raises:
        ValueError: If shapes are not these, or a target's corners are not in order.

    >>> iou(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))  # 1 - 2 / 6
    tensor(0.6667)
    """
    prediction, target = _in_one_unit(prediction, target)
    return reduced(1 - _overlap(prediction, target)[0], reduction)


def giou(prediction: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """1 - IoU + (enclosure - union) / enclosure of paired boxes, in [0, 2].

    Args:
        prediction: Boxes x1, y1, x2, y2 [N, 4].
        target: The box of each, [N, 4], with x1 <= x2 and y1 <= y2.
        reduction: As in torch; ``"none"`` gives [N].

    Raises:
        ValueError: If shapes are not these, or a target's corners are not in order.

    >>> giou(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 3.0, 1.0]]))  # 1 - 0 + (3 - 2) / 3
    tensor(1.3333)
    """
    prediction, target = _in_one_unit(prediction, target)
    overlap, union = _overlap(prediction, target)
    enclosure = _area(_enclosing(prediction, target))
    return reduced(1 - overlap + _ratio(enclosure - union, enclosure), reduction)


def diou(prediction: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """1 - IoU + ρ² / c² of paired boxes, ρ between their centres, c the diagonal of their enclosure; in [0, 2].

    Args:
        prediction: Boxes x1, y1, x2, y2 [N, 4].
        target: The box of each, [N, 4], with x1 <= x2 and y1 <= y2.
        reduction: As in torch; ``"none"`` gives [N].

    Raises:
        ValueError: If shapes are not these, or a target's corners are not in order.

    >>> diou(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 3.0, 1.0]]))  # 1 - 0 + 4 / 10
    tensor(1.4000)
    """
    prediction, target = _in_one_unit(prediction, target)
    return reduced(1 - _overlap(prediction, target)[0] + _distance(prediction, target), reduction)


def ciou(prediction: Tensor, target: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """1 - IoU + ρ² / c² + α v of paired boxes, v = 4/π² (arctan w_t/h_t - arctan w/h)², α = v / (1 - IoU + v).

    α is a constant to the gradient, as in the paper.

    Args:
        prediction: Boxes x1, y1, x2, y2 [N, 4].
        target: The box of each, [N, 4], with x1 <= x2 and y1 <= y2.
        reduction: As in torch; ``"none"`` gives [N].

    Raises:
        ValueError: If shapes are not these, or a target's corners are not in order.

    >>> ciou(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([[2.0, 0.0, 3.0, 1.0]]))  # as diou: both are squares
    tensor(1.4000)
    """
    prediction, target = _in_one_unit(prediction, target)
    overlap = _overlap(prediction, target)[0]
    unlike = 4 / math.pi**2 * (_angle(target) - _angle(prediction)).square()
    weight = _ratio(unlike, 1 - overlap + unlike).detach()
    return reduced(1 - overlap + _distance(prediction, target) + weight * unlike, reduction)


def _in_one_unit(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Boxes [2, N, 2] of corners in the unit of the longer side of their enclosure: no area over- or underflows."""
    _require_boxes(prediction, target)
    prediction, target = (wide(boxes).reshape(-1, 2, 2).transpose(0, 1) for boxes in (prediction, target))
    with torch.no_grad():
        origin = torch.minimum(prediction.amin(dim=0), target[0])
        side = _enclosing(prediction, target).amax(dim=1, keepdim=True)
        side = torch.where(side > 0, side, 1)
    return (prediction - origin) / side, (target - origin) / side


def _overlap(prediction: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and union, both [N]."""
    common = torch.minimum(prediction[1], target[1]) - torch.maximum(prediction[0], target[0])
    intersection = _area(common.clamp(min=0))
    union = _area(_sides(prediction)) + _area(_sides(target)) - intersection
    return _ratio(intersection, union), union


def _distance(prediction: Tensor, target: Tensor) -> Tensor:
    """ρ² / c² [N]."""
    between = (prediction.sum(dim=0) - target.sum(dim=0)) / 2
    return _ratio(between.square().sum(dim=1), _enclosing(prediction, target).square().sum(dim=1))


def _enclosing(prediction: Tensor, target: Tensor) -> Tensor:
    """Width and height [N, 2] of the smallest box around both."""
    last, first = torch.maximum(*prediction.unbind()), torch.minimum(*prediction.unbind())
    return torch.maximum(last, target[1]) - torch.minimum(first, target[0])


def _sides(boxes: Tensor) -> Tensor:
    """Width and height [N, 2]."""
    return (boxes[1] - boxes[0]).clamp(min=0)


def _area(sides: Tensor) -> Tensor:
    """Width by height [N]; prod(dim=1) would make the host wait for the device, to count zeros."""
    return sides[:, 0] * sides[:, 1]


def _angle(boxes: Tensor) -> Tensor:
    """The arctangent of width / height [N]; where both vanish its gradient is 0, which is NaN in older PyTorch."""
    width, height = _sides(boxes).unbind(dim=1)
    vanish = width.square() + height.square() == 0
    constant = torch.atan2(width, height).detach()
    return torch.where(vanish, constant, torch.atan2(width, torch.where(vanish, 1, height)))


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Of part to whole, 0 where both are 0."""
    return torch.where(whole > 0, part / torch.where(whole > 0, whole, 1), 0)


def _require_boxes(prediction: Tensor, target: Tensor) -> None:
    """Raise unless these are paired boxes, the target's corners in order."""
    require_floating(prediction=prediction, target=target)
    require_dim("prediction", prediction, "[N, 4]", least=2, most=2)
    require_same_shape(prediction=prediction, target=target)
    if prediction.shape[1] != 4:
        raise ValueError(f"prediction must have shape [N, 4], of x1, y1, x2, y2, got {tuple(prediction.shape)}")
    if sees_values(target):
        wrong = (target[:, 2:] < target[:, :2]).any(dim=1)
        if wrong.any():
            raise ValueError(
                f"target must have x1 <= x2 and y1 <= y2, got {target[wrong][0].tolist()}: order the corners, or "
                "convert centres and sizes to corners"
            )


class IoULoss(FunctionLoss):
    """``iou`` with its arguments."""

    function = staticmethod(iou)
    reduction: Reduction = "mean"


class GIoULoss(FunctionLoss):
    """``giou`` with its arguments."""

    function = staticmethod(giou)
    reduction: Reduction = "mean"


class DIoULoss(FunctionLoss):
    """``diou`` with its arguments."""

    function = staticmethod(diou)
    reduction: Reduction = "mean"


class CIoULoss(FunctionLoss):
    """``ciou`` with its arguments."""

    function = staticmethod(ciou)
    reduction: Reduction = "mean"
