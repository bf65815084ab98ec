"""Attention: how much of it lies in a box."""

import torch
from torch import Tensor


def attention_inside(attention: Tensor, boxes: Tensor, size: int) -> Tensor:
    """The share of each map's mass that lies in its box [M], 0 to 1.

    The mass of a place is spread evenly over its pixels, so even attention has the box's share of the picture.

    Args:
        attention: Maps [M, h, w], each of which sums to 1.
        boxes: (x0, y0, x1, y1) in pixels [M, 4].
        size: Side of the picture in pixels.

    >>> quarter = torch.tensor([[0, 0, 4, 4]])
    >>> attention_inside(torch.tensor([[[0.7, 0.1], [0.1, 0.1]]]), quarter, size=8)
    tensor([0.7000])
    """
    boxes = boxes.to(attention.dtype)
    rows = _covered(boxes[:, 1], boxes[:, 3], size, attention.shape[1])
    columns = _covered(boxes[:, 0], boxes[:, 2], size, attention.shape[2])
    return torch.einsum("mhw,mh,mw->m", attention, rows, columns)


def _covered(start: Tensor, stop: Tensor, size: int, places: int) -> Tensor:
    """The share of each of the places along a side that lies between start and stop [M, places]."""
    edges = torch.linspace(0, size, places + 1, dtype=start.dtype, device=start.device)
    overlap = torch.minimum(stop[:, None], edges[1:]) - torch.maximum(start[:, None], edges[:-1])
    return overlap.clamp(min=0) * places / size
