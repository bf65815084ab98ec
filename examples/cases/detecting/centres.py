"""Boxes as maps over a grid of cells, and back: what a detector without anchors learns, and how its outputs are read.

Zhou, Wang, Krähenbühl, Objects as Points, 2019, sec. 3 and 4: an object is the cell that holds its centre. Tian et al.,
FCOS, ICCV 2019, eq. (1): its box is four distances from there. Liu et al., Training-Time-Friendly Network, AAAI 2020,
eq. (2): how fast a map falls off around a centre.

Objects [N, M, 5] are class, x1, y1, x2, y2 in pixels; rows of NaN fill up pictures that have fewer than M.
"""

import torch
from torch import Tensor
from torch.nn import functional

_SPREAD = 0.54 / 6  # standard deviation by the side of the box


def centre_maps(objects: Tensor, classes: int, cells: tuple[int, int], stride: int) -> tuple[Tensor, Tensor]:
    """What a detector is to predict for each cell.

    Args:
        objects: [N, M, 5], as above.
        classes: C.
        cells: Rows and columns of the grid, (h, w).
        stride: Pixels along the side of a cell.

    Returns:
        Heat maps [N, C, h, w], 1 in the cells that hold a centre of the class and a Gaussian of the box's size around;
        and the distances left, top, right, bottom [N, 4, h, w] in pixels, from the middle of a cell that holds a
        centre to the sides of its box, NaN elsewhere.

    Raises:
        ValueError: If a class is none of C, a centre lies outside the grid, or two lie in one cell.
    """
    pictures, places = (~objects[:, :, 0].isnan()).nonzero(as_tuple=True)
    known = objects[pictures, places]
    kinds, first, last = known[:, 0].long(), known[:, 1:3], known[:, 3:]
    columns, rows = ((first + last) / 2 / stride).floor().long().unbind(dim=1)
    _require_apart(pictures, kinds, rows, columns, classes, cells)

    y = torch.arange(cells[0])[None, :, None] - rows[:, None, None]
    x = torch.arange(cells[1])[None, None, :] - columns[:, None, None]
    width, height = (_SPREAD * (last - first) / stride)[:, :, None, None].unbind(dim=1)
    gaussians = torch.exp(-(x / width).square() / 2 - (y / height).square() / 2)
    heat = torch.zeros(len(objects) * classes, *cells)
    flat = (pictures * classes + kinds)[:, None, None].expand(-1, *cells)
    heat.scatter_reduce_(0, flat, gaussians, reduce="amax")  # where two of a class meet, the nearer one counts

    sides = torch.full((len(objects), 4, *cells), torch.nan)
    middle = (torch.stack([columns, rows], dim=1) + 0.5) * stride
    sides[pictures, :, rows, columns] = torch.cat([middle - first, last - middle], dim=1)
    return heat.view(len(objects), classes, *cells), sides


def found_objects(heat: Tensor, sides: Tensor, stride: int, most: int) -> Tensor:
    """The peaks of heat maps with their boxes: class, x1, y1, x2, y2, score [N, most, 6], the highest score first.

    A peak is a cell that none of its eight neighbours exceeds. Rows of NaN where there are fewer.

    Args:
        heat: [N, C, h, w], whatever rises with certainty; -inf is never a peak. It is the score.
        sides: Distances left, top, right, bottom [N, 4, h, w] in pixels.
        stride: Pixels along the side of a cell.
        most: Objects of a picture.
    """
    peaks = heat == functional.max_pool2d(heat, kernel_size=3, stride=1, padding=1)
    height, width = heat.shape[2:]
    most = min(most, heat[0].numel())
    scores, places = heat.masked_fill(~peaks, -torch.inf).flatten(1).topk(most, dim=1)
    cells = places % (height * width)
    middle = (torch.stack([cells % width, cells // width], dim=2) + 0.5) * stride  # x, y
    distances = sides.flatten(2).gather(2, cells[:, None].expand(-1, 4, -1)).movedim(1, 2)
    boxes = torch.cat([middle - distances[:, :, :2], middle + distances[:, :, 2:]], dim=2)
    rows = torch.cat([(places // (height * width))[:, :, None], boxes, scores[:, :, None]], dim=2)
    return rows.masked_fill((scores == -torch.inf)[:, :, None], torch.nan)


def _require_apart(
    pictures: Tensor, kinds: Tensor, rows: Tensor, columns: Tensor, classes: int, cells: tuple[int, int]
) -> None:
    """Raise unless every object has a class and a cell of its own."""
    for name, numbers, limit in (("class", kinds, classes), ("row", rows, cells[0]), ("column", columns, cells[1])):
        wrong = numbers[(numbers < 0) | (numbers >= limit)]
        if len(wrong):
            raise ValueError(f"objects must have a {name} from 0 to {limit - 1}, got {int(wrong[0])}")
    own, counts = torch.stack([pictures, rows, columns]).unique(dim=1, return_counts=True)
    if (counts > 1).any():
        picture, row, column = own[:, counts > 1][:, 0].tolist()
        raise ValueError(
            f"objects must have a cell each, got two in row {row}, column {column} of picture {picture}: take smaller "
            "cells"
        )
