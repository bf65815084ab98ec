"""What scenes are painted with. Integers throughout, so that a seed gives the same bytes on every machine."""

import numpy as np
from numpy.typing import NDArray

Paint = NDArray[np.int64]  # [3, S, S], not yet cut to 0..255

_COLOURS = {
    "red": (215, 45, 45),
    "green": (45, 165, 65),
    "blue": (50, 85, 220),
    "yellow": (230, 205, 50),
    "purple": (145, 60, 175),
    "white": (240, 240, 240),
}
COLOURS = tuple(_COLOURS)
_PATCHES = 8  # of the background, along a side


def background(generator: np.random.Generator, size: int) -> Paint:
    """A dull colour, lighter and darker in patches, with grain."""
    hue = generator.integers(70, 131, (3, 1, 1)) + generator.integers(-12, 13)
    patches = generator.integers(-18, 19, (_PATCHES, _PATCHES))
    patch = np.arange(size) * _PATCHES // size
    return hue + patches[patch][:, patch] + _grain(generator, size)


def coat(generator: np.random.Generator, colour: int, size: int) -> Paint:
    """A shade of a colour, a place in ``COLOURS``, with grain."""
    shade = np.array(_COLOURS[COLOURS[colour]]).reshape(3, 1, 1) + generator.integers(-15, 16, (3, 1, 1))
    return shade + _grain(generator, size)


def _grain(generator: np.random.Generator, size: int) -> Paint:
    return generator.integers(-12, 13, (3, size, size))
