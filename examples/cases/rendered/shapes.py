"""The shapes that scenes show, as masks."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Offsets = NDArray[np.floating[Any]]  # of pixel centres from the shape's centre; y grows downwards


def shape_mask(shape: int, centre: tuple[int, int], radius: int, size: int) -> Mask:
    """Where a shape is, bool [size, size], rows from top to bottom.

    Args:
        shape: A place in ``SHAPES``.
        centre: (x, y) in pixels; a corner between four pixels.
        radius: Half the side of the square that the shape fills, in pixels.
        size: Side of the picture in pixels; what is beyond it is cut off.
    """
    places = np.arange(size) + 0.5
    return _MASKS[SHAPES[shape]](places[None, :] - centre[0], places[:, None] - centre[1], radius)


def _circle(x: Offsets, y: Offsets, radius: int) -> Mask:
    return x**2 + y**2 <= radius**2


def _square(x: Offsets, y: Offsets, radius: int) -> Mask:
    return np.maximum(np.abs(x), np.abs(y)) <= radius


def _triangle(x: Offsets, y: Offsets, radius: int) -> Mask:
    return (2 * np.abs(x) <= y + radius) & (np.abs(y) <= radius)


def _cross(x: Offsets, y: Offsets, radius: int) -> Mask:
    return _square(x, y, radius) & (3 * np.minimum(np.abs(x), np.abs(y)) <= radius)


def _ring(x: Offsets, y: Offsets, radius: int) -> Mask:
    return _circle(x, y, radius) & (4 * (x**2 + y**2) > radius**2)


_MASKS: dict[str, Callable[[Offsets, Offsets, int], Mask]] = {
    "circle": _circle,
    "square": _square,
    "triangle": _triangle,
    "cross": _cross,
    "ring": _ring,
}
SHAPES = tuple(_MASKS)
