"""Whether attention lands on the thing that is named, in rendered scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from captioning.decoding import Decoded
from captioning.vocabulary import Vocabulary
from rendered import COLOURS, SHAPES, Scene


@dataclass(frozen=True)
class Landing:
    """One name of a thing in a caption.

    Args:
        shape: A place in ``SHAPES``.
        inside: The share of attention, while the word of the shape was chosen, inside the thing's box, 0 to 1.
        area: The box's share of the picture: what even attention has inside.
    """

    shape: int
    inside: float
    area: float


def landings(decoded: Decoded, vocabulary: Vocabulary, scenes: Sequence[Scene]) -> list[Landing]:
    """All names of things that are there: a colour's word, then a shape's. Other names are left out.

    Args:
        decoded: The captions of the scenes.
        vocabulary: Of their words.
        scenes: As many as captions.
    """
    found = []
    for words, maps, scene in zip(decoded.words.tolist(), decoded.attention.cpu(), scenes, strict=True):
        size = scene.picture.shape[1]
        boxes = {(COLOURS[thing.colour], SHAPES[thing.shape]): thing.box for thing in scene.objects}
        predicted = vocabulary.text(words).split()
        for place, name in enumerate(pairwise(predicted), start=1):
            if name in boxes:
                x0, y0, x1, y1 = boxes[name]
                inside = attention_inside(maps[[place]], torch.tensor([boxes[name]]), size).item()
                found.append(Landing(SHAPES.index(name[1]), inside, (x1 - x0) * (y1 - y0) / size**2))
    return found


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
