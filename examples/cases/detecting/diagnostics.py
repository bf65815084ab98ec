"""What a run on scenes shows: pixels taken for another shape's, and pictures with what is there and what is found."""

import torch
from torch import Tensor

from detecting.metrics import found, objects_of
from equipoise.lab.diagnostics import (
    Card,
    Diagnostic,
    Picture,
    Predictions,
    coloured,
    confusion,
    first_samples,
    largest,
    overlaid,
    region_table,
    worst_samples,
)
from rendered import SHAPES

_SURE = 0.5  # probability from which on an object is shown
_ENLARGED = 3  # pixels that stand for one of the picture, so that a box hides little
_COLOURS = {
    "red": (255, 60, 60),
    "green": (60, 255, 60),
    "blue": (70, 110, 255),
    "orange": (255, 170, 40),
    "pink": (255, 90, 255),
}
_LEGEND = f"In colours: {', '.join(f'{shape} {colour}' for shape, colour in zip(SHAPES, _COLOURS, strict=True))}."
_RGB = torch.tensor(tuple(_COLOURS.values()), dtype=torch.uint8)
_PIXELS = ("background", *SHAPES)


def scenes_diagnostics(stride: int) -> tuple[Diagnostic, ...]:
    """Of class, box and mask; ``stride`` are the pixels along the side of a cell."""

    def describe(seen: Predictions, place: int) -> Card:
        picture = seen.inputs([place])[0].movedim(0, 2)
        there = objects_of(seen.targets["class"][[place]], stride)[0]
        there = there[~there[:, 0].isnan()]
        names = ", ".join(SHAPES[int(row[0])] for row in there)
        lines = [f"picture {place + 1} of the split, in which are: {names}"]
        pictures = [
            Picture.of(drawn(picture, torch.zeros(picture.shape[:2]), there[:0]), "the picture"),
            Picture.of(drawn(picture, seen.targets["mask"][place], there), "what is there"),
        ]
        predicted = seen.outputs["mask"][place].argmax(dim=0) if "mask" in seen.tasks.names else None
        if "class" in seen.tasks.names:
            rows = found(seen.outputs["class"][[place]], stride)[0]
            rows = rows[rows[:, 5].sigmoid() >= _SURE]
            names = ", ".join(f"{SHAPES[int(row[0])]} {row[5].sigmoid():.2f}" for row in rows)
            lines.append(f"found: {names or 'nothing'}")
            masks = torch.zeros(picture.shape[:2]) if predicted is None else object_masks(predicted, rows)
            pictures.append(Picture.of(drawn(picture, masks, rows), "what is found"))
        elif predicted is not None:
            pictures.append(Picture.of(drawn(picture, predicted, there[:0]), "pixels of each shape"))
        return Card(tuple(lines), tuple(pictures))

    return (
        confusion("mask", _PIXELS, largest, "pixels"),
        region_table("mask", _PIXELS),
        first_samples(("class",), describe, legend=_LEGEND),
        *(worst_samples(task, describe, legend=_LEGEND) for task in ("class", "box", "mask")),
    )


def object_masks(pixels: Tensor, rows: Tensor) -> Tensor:
    """Of every pixel the shape of the object that it belongs to: one whose box holds it and whose shape it has.

    Args:
        pixels: 0, or 1 + shape [H, W].
        rows: Class, x1, y1, x2, y2, ... of each object, in pixels [M, 5 or more].

    Returns:
        0, or 1 + shape [H, W].
    """
    held = torch.zeros_like(pixels, dtype=torch.bool)
    middle_y, middle_x = torch.arange(pixels.shape[0])[:, None] + 0.5, torch.arange(pixels.shape[1]) + 0.5
    for kind, x1, y1, x2, y2 in rows[:, :5].tolist():
        inside = (middle_x > x1) & (middle_x < x2) & (middle_y > y1) & (middle_y < y2)
        held |= inside & (pixels == 1 + int(kind))
    return pixels * held


def drawn(picture: Tensor, masks: Tensor, rows: Tensor) -> Tensor:
    """A picture [H, W, 3], thrice enlarged, under the colours of the shapes and boxes of theirs, uint8.

    Args:
        picture: uint8.
        masks: 0, or 1 + shape [H, W].
        rows: Class, x1, y1, x2, y2, ... of each object, in pixels [M, 5 or more].
    """
    layer = torch.where((masks > 0)[:, :, None], coloured((masks.long() - 1).clamp(min=0), _RGB.tolist()), picture)
    pixels = overlaid(picture, layer).repeat_interleave(_ENLARGED, dim=0).repeat_interleave(_ENLARGED, dim=1)
    for kind, *corners in rows[:, :5].tolist():
        limits = (pixels.shape[1] - 1, pixels.shape[0] - 1) * 2
        x1, y1, x2, y2 = (min(max(round(c * _ENLARGED), 0), top) for c, top in zip(corners, limits, strict=True))
        pixels[[y1, y2], x1 : x2 + 1] = _RGB[int(kind)]
        pixels[y1 : y2 + 1, [x1, x2]] = _RGB[int(kind)]
    return pixels
