"""Attention on what is named, with captions and maps made by hand."""

import pytest
import torch

from captioning.decoding import Decoded
from captioning.landing import landings
from captioning.vocabulary import Vocabulary
from rendered import COLOURS, SHAPES, describe, render_scenes

SCENES = [scene for scene in render_scenes(40, seed=5) if len(scene.objects) == 2]
SENTENCES = [describe(scene)[2] for scene in SCENES]  # there is a … and a …
VOCABULARY = Vocabulary(SENTENCES)


def decoded(sentences, look):
    """Captions with ``look(scene, word's place) -> (x, y)`` of the one pixel that has all attention."""
    words = VOCABULARY.numbers([[text] for text in sentences], 12)[:, 0].clamp(min=0)
    maps = torch.zeros(*words.shape, 64, 64)
    for number, scene in enumerate(SCENES):
        for place in range(words.shape[1]):
            x, y = look(scene, place)
            maps[number, place, y, x] = 1.0
    return Decoded(words, maps, torch.zeros(len(words)))


def middle(thing):
    x0, y0, x1, y1 = thing.box
    return (x0 + x1) // 2, (y0 + y1) // 2


def at_the_named(scene, place):  # "there is a red ring and a blue square": the shapes are words 4 and 8
    return middle(scene.objects[0] if place == 4 else scene.objects[1] if place == 8 else scene.objects[place % 2])


def test_looking_at_the_named_thing_lands_and_at_the_other_does_not():
    right = landings(decoded(SENTENCES, at_the_named), VOCABULARY, SCENES)
    assert len(right) == 2 * len(SCENES)
    assert all(one.inside == 1.0 for one in right)
    assert {one.shape for one in right} == {thing.shape for scene in SCENES for thing in scene.objects}
    wrong = landings(decoded(SENTENCES, lambda scene, place: middle(scene.objects[place == 4])), VOCABULARY, SCENES)
    assert all(one.inside == 0.0 for one in wrong)


def test_the_area_is_what_even_attention_has():
    made = decoded(SENTENCES, at_the_named)
    even = made._replace(attention=torch.full((*made.words.shape, 8, 8), 1 / 64))
    for one in landings(even, VOCABULARY, SCENES):
        assert one.inside == pytest.approx(one.area)


def test_names_of_what_is_not_there_do_not_count():
    def not_there(scene):
        there = {(thing.colour, thing.shape) for thing in scene.objects}
        first = scene.objects[0]
        colour = next(c for c in range(len(COLOURS)) if (c, first.shape) not in there)
        return f"there is a {COLOURS[colour]} {SHAPES[first.shape]}"

    assert landings(decoded([not_there(scene) for scene in SCENES], at_the_named), VOCABULARY, SCENES) == []
    assert landings(decoded(["a red"] * len(SCENES), at_the_named), VOCABULARY, SCENES) == []
