"""Scenes: pictures of a few coloured shapes, with the box and the mask of each."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rendered.shapes import SHAPES, shape_mask
from rendered.surfaces import COLOURS, background, coat

_MOST = 3  # things in a scene
_LARGEST = (10, 14)  # radius of the largest thing in 64ths of the side
_OTHERS = (6, 8)  # of every other one: which is the largest is never in doubt
_SMALLEST_SIZE = 32  # pixels; below, shapes cannot be recognised


@dataclass(frozen=True, eq=False)
class Thing:
    """One shape of a scene.

    Args:
        shape: A place in ``SHAPES``.
        colour: A place in ``COLOURS``.
        box: (x0, y0, x1, y1) in pixels from the top left: columns x0 to x1 - 1, rows y0 to y1 - 1.
        mask: Where it is, bool [S, S]; the box bounds it.
    """

    shape: int
    colour: int
    box: tuple[int, int, int, int]
    mask: NDArray[np.bool_]

    @property
    def centre(self) -> tuple[float, float]:
        """The middle (x, y) of the box, in pixels."""
        x0, y0, x1, y1 = self.box
        return (x0 + x1) / 2, (y0 + y1) / 2


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and what it shows.

    Args:
        picture: RGB, uint8 [3, S, S].
        objects: 1 to 3, the largest first; no two have the same shape and colour, and their boxes do not overlap.
    """

    picture: NDArray[np.uint8]
    objects: tuple[Thing, ...]


def render_scene(generator: np.random.Generator, size: int = 64) -> Scene:
    """Draw a scene: how many things, which, how large and where, all at random.

    Args:
        generator: What it draws from.
        size: Side of the picture in pixels, 32 or more.

    Raises:
        ValueError: If the size is less.
    """
    if size < _SMALLEST_SIZE:
        raise ValueError(f"size must be {_SMALLEST_SIZE} or more, got {size}: shapes of smaller scenes look alike")
    count = int(generator.integers(1, _MOST + 1))
    kinds = [divmod(int(kind), len(COLOURS)) for kind in generator.choice(len(SHAPES) * len(COLOURS), count, False)]
    radii = [_radius(generator, _OTHERS if number else _LARGEST, size) for number in range(count)]
    picture = background(generator, size)
    objects = []
    for (shape, colour), radius, centre in zip(kinds, radii, _places(generator, radii, size), strict=True):
        mask = shape_mask(shape, centre, radius, size)
        picture = np.where(mask, coat(generator, colour, size), picture)
        objects.append(Thing(shape, colour, bounds(mask), mask))
    return Scene(picture.clip(0, 255).astype(np.uint8), tuple(objects))


def render_scenes(count: int, seed: int) -> list[Scene]:
    """Scenes of 64x64 pixels; the i-th depends on the seed and i alone.

    Args:
        count: How many.
        seed: 0 or more.
    """
    return [render_scene(np.random.default_rng([seed, number])) for number in range(count)]


def bounds(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """The smallest box (x0, y0, x1, y1) that holds all of a mask that is True somewhere."""
    columns, rows = (np.flatnonzero(mask.any(axis=axis)) for axis in (0, 1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _radius(generator: np.random.Generator, share: tuple[int, int], size: int) -> int:
    """In pixels, of a range in 64ths of the side."""
    least, most = share
    return int(generator.integers(least * size // 64, most * size // 64 + 1))


def _places(generator: np.random.Generator, radii: list[int], size: int) -> list[tuple[int, int]]:
    """Centres (x, y): all of each thing within the picture, and a pixel or more between two boxes."""
    while True:
        centres = [
            (
                int(generator.integers(radius, size - radius + 1)),
                int(generator.integers(radius, size - radius + 1)),
            )
            for radius in radii
        ]
        placed = list(zip(centres, radii, strict=True))
        if all(
            max(abs(x - other_x), abs(y - other_y)) > radius + other_radius
            for number, ((x, y), radius) in enumerate(placed)
            for (other_x, other_y), other_radius in placed[:number]
        ):
            return centres
