"""Boxes: where in a tensor something may be, as a range of places along each dimension."""

import math
from bisect import bisect_left
from collections.abc import Sequence

Box = tuple[range, ...]  # none of the ranges runs backwards


def everywhere(shape: Sequence[int]) -> Box:
    """All places of a tensor."""
    return tuple(map(range, shape))


def shifted(places: range, by: int) -> range:
    """Each place moved by so much."""
    return range(places.start + by, places.stop + by, places.step)


def between(places: range, low: int, high: int) -> range:
    """The places in [low, high)."""
    return places[bisect_left(places, low) : bisect_left(places, high)]


def replaced(box: Box, dim: int, places: range) -> Box:
    """The box with other places along one dimension."""
    return (*box[:dim], places, *box[dim + 1 :])


def unbroadcast(box: Box, shape: Sequence[int]) -> Box:
    """The box in a tensor of this shape that was broadcast to where the box is."""
    along = box[len(box) - len(shape) :]
    return tuple(range(1) if size == 1 else places for size, places in zip(shape, along, strict=True))


def reshaped(box: Box, shape: Sequence[int], into: Sequence[int]) -> Box:
    """A box that holds this one of a tensor [shape] where it is viewed as [into]."""
    if 0 in shape:
        return everywhere(into)
    old = [(size, places) for size, places in zip(shape, box, strict=True) if size != 1]
    new = [size for size in into if size != 1]
    found: list[range] = []
    while new:
        group, goal = [old.pop(0)], [new.pop(0)]
        while (have := math.prod(size for size, _ in group)) != (want := math.prod(goal)):
            if have < want:
                group.append(old.pop(0))
            else:
                goal.append(new.pop(0))
        found += [group[0][1]] if len(group) == len(goal) == 1 else _split(_merged(group), goal)
    places_of = iter(found)
    return tuple(range(1) if size == 1 else next(places_of) for size in into)


def _merged(group: Sequence[tuple[int, range]]) -> range:
    """The places along dimensions, each (size, places), that become one; or more places than those."""
    (_, places), *inner = group
    for size, along in inner:
        if len(places) == 1:
            places = shifted(along, places[0] * size)
        elif len(along) == 1:
            places = range(places[0] * size + along[0], places[-1] * size + along[0] + 1, places.step * size)
        else:  # exact where all are taken along the inner one, and no place is left out along the outer one
            places = range(places[0] * size + along[0], places[-1] * size + along[-1] + 1)
    return places


def _split(places: range, sizes: Sequence[int]) -> list[range]:
    """The places along a dimension that becomes dimensions of these sizes; or more places than those."""
    if len(sizes) == 1:
        return [places]
    size = math.prod(sizes[1:])
    first, last = places[0] // size, places[-1] // size
    if first == last:
        return [range(first, first + 1), *_split(shifted(places, -first * size), sizes[1:])]
    if places.step % size == 0:
        within = places[0] % size
        return [range(first, last + 1, places.step // size), *_split(range(within, within + 1), sizes[1:])]
    return [range(first, last + 1), *everywhere(sizes[1:])]
