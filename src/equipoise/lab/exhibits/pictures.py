"""Masks as pictures."""

from collections.abc import Sequence

import torch
from torch import Tensor

UNKNOWN = (128, 128, 128)  # where a mask has no label


def coloured(mask: Tensor, colours: Sequence[tuple[int, int, int]], missing: int = -100) -> Tensor:
    """Each class of a mask [H, W] in its colour [H, W, 3], uint8; grey where the label is missing.

    >>> coloured(torch.tensor([[0, 1]]), [(0, 0, 0), (255, 0, 0)]).tolist()
    [[[0, 0, 0], [255, 0, 0]]]
    """
    table = torch.tensor([*colours, UNKNOWN], dtype=torch.uint8)
    return table[mask.masked_fill(mask == missing, len(colours)).long()]


def overlaid(picture: Tensor, layer: Tensor, opacity: float = 0.5) -> Tensor:
    """A layer [H, W, 3] over a picture [H, W, 3], both uint8.

    >>> overlaid(torch.tensor([[[0, 100, 200]]]).byte(), torch.tensor([[[100, 100, 0]]]).byte()).tolist()
    [[[50, 100, 100]]]
    """
    return ((1 - opacity) * picture.float() + opacity * layer.float()).round().to(torch.uint8)
