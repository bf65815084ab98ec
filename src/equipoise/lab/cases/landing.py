"""Whether attention lands on the thing that is named, in rendered scenes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch

from equipoise.lab.data.captions import Vocabulary
from equipoise.lab.data.scenes import COLOURS, SHAPES, Scene
from equipoise.lab.metrics.attention import attention_inside
from equipoise.lab.models.captions.decoded import Decoded


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
        said = vocabulary.text(words).split()
        for place, name in enumerate(pairwise(said), start=1):
            if name in boxes:
                x0, y0, x1, y1 = boxes[name]
                inside = attention_inside(maps[[place]], torch.tensor([boxes[name]]), size).item()
                found.append(Landing(SHAPES.index(name[1]), inside, (x1 - x0) * (y1 - y0) / size**2))
    return found
