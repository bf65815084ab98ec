"""Rendered scenes: the same for the same seed, with boxes that fit, and sentences that are true."""

import re

import numpy as np
import pytest

from rendered import COLOURS, SENTENCES, SHAPES, describe, render_scene, render_scenes

SCENES = render_scenes(150, seed=3)
NAME = rf"a ({'|'.join(COLOURS)}) ({'|'.join(SHAPES)})"
RELATIONS = ("left of", "right of", "above", "below")


def test_a_scene_depends_on_its_seed_and_number_alone():
    again = render_scenes(5, seed=3)
    for scene, same in zip(SCENES, again, strict=False):
        assert (scene.picture == same.picture).all()
        assert [thing.box for thing in scene.objects] == [thing.box for thing in same.objects]
    assert (render_scenes(5, seed=4)[0].picture != SCENES[0].picture).any()


def test_pictures_are_bytes_and_masks_of_the_size():
    for size in (32, 48, 64):
        scene = render_scene(np.random.default_rng(0), size)
        assert scene.picture.dtype == np.uint8
        assert scene.picture.shape == (3, size, size)
        assert all(thing.mask.shape == (size, size) and thing.mask.dtype == bool for thing in scene.objects)


def test_too_small_a_scene_is_refused():
    with pytest.raises(ValueError, match="size must be 32 or more, got 31"):
        render_scene(np.random.default_rng(0), 31)


def test_a_box_holds_all_of_its_mask_and_touches_it_on_each_side():
    for scene in SCENES:
        for thing in scene.objects:
            x0, y0, x1, y1 = thing.box
            inside = thing.mask[y0:y1, x0:x1]
            assert inside.sum() == thing.mask.sum()
            assert all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1]))


def test_boxes_do_not_overlap_and_the_first_is_the_largest():
    def side(thing):
        x0, y0, x1, y1 = thing.box
        return max(x1 - x0, y1 - y0)

    for scene in SCENES:
        covered = np.zeros((64, 64), dtype=int)
        for thing in scene.objects:
            x0, y0, x1, y1 = thing.box
            covered[y0:y1, x0:x1] += 1
        assert covered.max() == 1
        assert all(side(scene.objects[0]) > side(other) for other in scene.objects[1:])
        assert len({(thing.shape, thing.colour) for thing in scene.objects}) == len(scene.objects)


def test_a_thing_has_the_colour_it_says():
    pure = {"red": 0, "green": 1, "blue": 2}
    for scene in SCENES:
        for thing in scene.objects:
            mean = scene.picture[:, thing.mask].mean(axis=1)
            name = COLOURS[thing.colour]
            if name in pure:
                assert mean.argmax() == pure[name]
            elif name == "white":
                assert mean.min() > 215
            else:
                assert mean.argmin() == (2 if name == "yellow" else 1)


@pytest.mark.parametrize("shape", range(len(SHAPES)))
def test_shapes_cover_their_share_of_the_box(shape):
    # circle pi/4; square 1; triangle 1/2; plus sign 1 - (2/3)^2; ring: of the circle, 3/4
    shares = {"circle": np.pi / 4, "square": 1, "triangle": 0.5, "cross": 5 / 9, "ring": 3 * np.pi / 16}
    scenes = [render_scene(np.random.default_rng([9, number]), 256) for number in range(40)]
    things = [thing for scene in scenes for thing in scene.objects if thing.shape == shape]
    assert things
    for thing in things:
        x0, y0, x1, y1 = thing.box
        share = thing.mask.sum() / ((x1 - x0) * (y1 - y0))
        assert share == pytest.approx(shares[SHAPES[shape]], abs=0.03)


def things_by_name(scene):
    return {(COLOURS[thing.colour], SHAPES[thing.shape]): thing for thing in scene.objects}


def holds(relation, thing, other):
    (x, y), (other_x, other_y) = (((t.box[0] + t.box[2]) / 2, (t.box[1] + t.box[3]) / 2) for t in (thing, other))
    return {"left of": x < other_x, "right of": x > other_x, "above": y < other_y, "below": y > other_y}[relation]


def relations(sentence):
    """(name, relation, name) of each that a sentence states; "it" is what the sentence began with."""
    clauses = re.split(
        r" with | and (?=a \w+ \w+ (?:left|right|above|below))| and (?=left|right|above|below)", sentence
    )
    first = re.search(NAME, sentence)[0]
    for clause in clauses:
        for relation in RELATIONS:
            if f" {relation} " in f" {clause}":
                before, after = f" {clause}".split(f" {relation} ")
                yield before.strip() or first, relation, first if after == "it" else after


def test_sentences_are_true():
    stated = 0
    for scene in SCENES:
        things = things_by_name(scene)
        sentences = describe(scene)
        assert len(set(sentences)) == len(sentences) == SENTENCES
        for sentence in sentences:
            named = re.findall(NAME, sentence)
            assert named
            assert set(named) <= things.keys()
            for before, relation, after in relations(sentence):
                one, other = (things[re.fullmatch(NAME, name).groups()] for name in (before, after))
                assert holds(relation, one, other), sentence
                stated += 1
        assert set(re.findall(NAME, sentences[2 if len(things) > 1 else 0])) == things.keys()
        assert re.findall(NAME, sentences[4]) == [next(iter(things))]
    assert stated > len(SCENES)


def test_the_place_in_a_sentence_is_where_the_largest_thing_is():
    for scene in SCENES:
        x0, y0, x1, y1 = scene.objects[0].box
        words = describe(scene)[4]
        assert ("left" in words) == ((x0 + x1) / 2 < 64 / 3)
        assert ("right" in words) == ((x0 + x1) / 2 >= 128 / 3)
        assert ("top" in words) == ((y0 + y1) / 2 < 64 / 3)
        assert ("bottom" in words) == ((y0 + y1) / 2 >= 128 / 3)
