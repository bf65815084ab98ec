"""Sentences that are true of a scene: what is there, where, and how it lies to the largest thing."""

from rendered.render import Scene, Thing
from rendered.shapes import SHAPES
from rendered.surfaces import COLOURS

SENTENCES = 5
_PLACES = (
    ("at the top left", "at the top", "at the top right"),
    ("on the left", "in the middle", "on the right"),
    ("at the bottom left", "at the bottom", "at the bottom right"),
)


def describe(scene: Scene) -> tuple[str, ...]:
    """Five sentences in lower case, words parted by single spaces.

    >>> import numpy as np
    >>> from rendered.render import render_scene
    >>> describe(render_scene(np.random.default_rng(1)))[0]
    'a blue triangle left of a purple cross'
    """
    largest, *others = scene.objects
    name, place = _name(largest), _place(largest, scene.picture.shape[1])
    if not others:
        return (
            f"{name} {place}",
            f"a picture of {name} {place}",
            f"there is {name} {place}",
            f"nothing but {name}",
            f"the largest thing is {name} {place}",
        )
    return (
        f"{name} " + _joined([f"{_relation(largest, other)} {_name(other)}" for other in others]),
        f"{name} with " + _joined([f"{_name(other)} {_relation(other, largest)} it" for other in others]),
        "there is " + _joined([_name(thing) for thing in scene.objects]),
        f"{_name(others[-1])} {_relation(others[-1], largest)} {name}",
        f"the largest thing is {name} {place}",
    )


def _joined(parts: list[str]) -> str:
    return " and ".join(parts)


def _name(thing: Thing) -> str:
    return f"a {COLOURS[thing.colour]} {SHAPES[thing.shape]}"


def _place(thing: Thing, size: int) -> str:
    """The ninth of the picture that its centre is in."""
    x, y = thing.centre
    return _PLACES[int(3 * y / size)][int(3 * x / size)]


def _relation(thing: Thing, other: Thing) -> str:
    """How it lies to the other, along the axis on which their centres are further apart."""
    (x, y), (other_x, other_y) = thing.centre, other.centre
    if abs(x - other_x) > abs(y - other_y):
        return "left of" if x < other_x else "right of"
    return "above" if y < other_y else "below"
