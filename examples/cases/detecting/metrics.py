"""The metrics of a detector's maps: what is found in them is held against what is there.

Maps [N, C + 4, h, w] are a heat map for each class, then the distances left, top, right, bottom of every cell in
pixels. In those of the targets a heat of 1 is a centre, and cells without a centre have the distances 0.
"""

import torch
from torch import Tensor

from detecting.centres import found_objects
from equipoise.lab.cases.metrics import Metric
from equipoise.lab.metrics import metric

MOST = 8  # objects that are read from a picture's maps


def found(maps: Tensor, stride: int) -> Tensor:
    """The objects that maps predict in each picture: class, x1, y1, x2, y2, score [N, 8, 6], the surest first.

    Args:
        maps: As above, with logits for heat.
        stride: Pixels along the side of a cell.
    """
    return found_objects(maps[:, :-4], maps[:, -4:], stride, MOST)


def objects_of(maps: Tensor, stride: int) -> Tensor:
    """What is in each picture by a target's maps: class, x1, y1, x2, y2 [N, 8, 5]."""
    heat = maps[:, :-4]
    return found_objects(heat.where(heat == 1, -torch.inf), maps[:, -4:], stride, MOST)[:, :, :5]


def found_metrics(stride: int, usual: Tensor, train: Tensor, validation: Tensor) -> tuple[Metric, Metric]:
    """Mean average precision of the centres within a cell, "centre-map", and of the boxes, "map@0.5".

    The first asks of the heat maps alone, so that it is the same for a network that has no boxes. Its constant
    predictor predicts in every picture what is there on average.

    Args:
        stride: Pixels along the side of a cell.
        usual: Distances [4], the mean of the training split.
        train: The target's maps of the training split.
        validation: Those of the validation split.
    """

    def centres(outputs: Tensor, targets: Tensor) -> float:
        measured = metric("centre-map", distance=stride)
        points = torch.cat([outputs[:, :-4], torch.zeros_like(outputs[:, -4:])], dim=1)  # the middle of the cell
        measured.update(found(points, stride), objects_of(targets, stride))
        return float(measured.compute())

    def boxes(outputs: Tensor, targets: Tensor) -> float:
        measured = metric("map@0.5")
        measured.update(found(outputs, stride), objects_of(targets, stride))
        return float(measured.compute())

    heat = train[:, :-4].mean(dim=0)
    constant = torch.cat([heat, usual[:, None, None].expand(4, *heat.shape[1:])]).expand_as(validation)
    return (
        Metric("centre-map", True, 1.0, centres(constant, validation), centres),
        Metric("map@0.5", True, 1.0, boxes(constant, validation), boxes),
    )


def box_metric(usual: Tensor, validation: Tensor) -> Metric:
    """Mean intersection over union at the cells that hold an object, "box-iou"; the constant has the usual distances.

    Args:
        usual: Distances [4], the mean of the training split.
        validation: The target's distances [N, 4, h, w] of the validation split, NaN where no object is.
    """

    def overlap(outputs: Tensor, targets: Tensor) -> float:
        measured = metric("box-iou")
        measured.update(outputs, targets)
        return float(measured.compute())

    return Metric("box-iou", True, 1.0, overlap(usual[:, None, None].expand_as(validation), validation), overlap)
