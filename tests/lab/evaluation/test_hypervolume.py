import itertools

import numpy as np
import pytest

from equipoise.lab.evaluation import hypervolume


def by_inclusion_and_exclusion(points, reference):
    """Volume of a union of boxes: the signed sum over all their intersections."""
    total = 0.0
    for size in range(1, len(points) + 1):
        for chosen in itertools.combinations(points, size):
            sides = np.maximum(np.asarray(reference) - np.max(chosen, axis=0), 0)
            total -= (-1) ** size * sides.prod()
    return total


def test_one_point_is_a_box():
    assert hypervolume([[1.0, 2.0, 3.0]], [2.0, 4.0, 6.0]) == 1 * 2 * 3
    assert hypervolume([[3.0]], [5.0]) == 2.0
    assert hypervolume([[3.0], [1.0]], [5.0]) == 4.0


def test_two_dimensions_are_a_staircase():
    # to (4, 4): widths 1, 1, 1 under heights 1, 2, 3
    assert hypervolume([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]], [4.0, 4.0]) == 1 + 2 + 3


def test_three_dimensions_by_hand():
    # three slabs 2 x 2 x 1 of the cube of side 2, pairwise sharing 2 x 1 x 1, all three sharing 1
    slabs = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]
    assert hypervolume(slabs, [2.0] * 3) == 3 * 4 - 3 * 2 + 1


@pytest.mark.parametrize("objectives", [1, 2, 3, 4, 5])
def test_random_boxes_by_inclusion_and_exclusion(objectives):
    draw = np.random.default_rng(objectives)
    for _ in range(5):
        points, reference = draw.random((8, objectives)), np.full(objectives, 0.9)  # some lie beyond it
        expected = by_inclusion_and_exclusion(points, reference)
        assert hypervolume(points, reference) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("objectives", [3, 5])
def test_many_points_by_counting(objectives):
    draw = np.random.default_rng(0)
    points = np.abs(draw.normal(size=(40, objectives)))
    points /= np.linalg.norm(points, axis=1, keepdims=True)  # on a sphere none dominates another
    samples = draw.random((50_000, objectives))
    share = (points[None, :, :] <= samples[:, None, :]).all(-1).any(-1).mean()
    reach = 5 * np.sqrt(share * (1 - share) / len(samples))
    assert hypervolume(points, [1.0] * objectives) == pytest.approx(share, abs=reach)


def test_order_repeats_and_dominated_points_do_not_matter():
    draw = np.random.default_rng(1)
    points = draw.random((9, 4))
    whole = hypervolume(points, [1.0] * 4)
    assert hypervolume(points[::-1], [1.0] * 4) == pytest.approx(whole, rel=1e-12)
    more = np.concatenate([points, points[:3], points + 0.05])
    assert hypervolume(more, [1.0] * 4) == pytest.approx(whole, rel=1e-12)
    # a value shared with another point, in every coordinate but one
    tied = [[0.2, 0.2, 0.5], [0.2, 0.2, 0.3], [0.2, 0.4, 0.1]]
    assert hypervolume(tied, [1.0] * 3) == pytest.approx(by_inclusion_and_exclusion(tied, [1.0] * 3))


def test_directions():
    points = np.random.default_rng(2).random((6, 3))
    flipped = points * [1, -1, 1]
    assert hypervolume(flipped, [1.0, -1.0, 1.0], [False, True, False]) == hypervolume(points, [1.0] * 3)


def test_what_is_no_better_than_the_reference_adds_nothing():
    assert hypervolume([[0.0, 2.0], [2.0, 0.0], [0.0, 1.0]], [1.0, 1.0]) == 0.0
    assert hypervolume([], [1.0, 1.0]) == 0.0


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="one length K, got 2, 3"):
        hypervolume([[1.0, 2.0]], [1.0] * 3)
    with pytest.raises(ValueError, match="one length K, got 2, 2 and 1"):
        hypervolume([[1.0, 2.0]], [1.0] * 2, [True])
    with pytest.raises(ValueError, match="must be finite"):
        hypervolume([[float("nan"), 0.0]], [1.0, 1.0])
