import math

import pytest
import torch
from torch.testing import assert_close

from detecting.centres import centre_maps, found_objects

NONE = [math.nan] * 5
OBJECTS = torch.tensor(
    [
        [[1.0, 2.0, 4.0, 14.0, 20.0], [0.0, 20.0, 8.0, 30.0, 14.0]],  # centres (8, 12) and (25, 11)
        [[1.0, 1.0, 1.0, 7.0, 9.0], NONE],
        [NONE, NONE],
    ]
)


def test_a_map_is_1_at_the_centres_and_the_gaussian_of_the_box_around():
    heat, _ = centre_maps(OBJECTS, 3, (6, 8), 4)
    assert heat.shape == (3, 3, 6, 8)
    assert (heat == 1).nonzero().tolist() == [[0, 0, 2, 6], [0, 1, 3, 2], [1, 1, 1, 1]]
    wide, high = 0.54 / 6 * 12 / 4, 0.54 / 6 * 16 / 4  # standard deviations in cells of the first box
    for row, column in ((3, 3), (2, 2), (0, 4)):
        expected = math.exp(-((column - 2) ** 2) / (2 * wide**2) - (row - 3) ** 2 / (2 * high**2))
        assert heat[0, 1, row, column].item() == pytest.approx(expected, rel=1e-4)
    assert (heat[2] == 0).all()
    assert (heat[0, 2] == 0).all()


def test_between_two_of_one_class_the_nearer_counts():
    pair = torch.tensor([[[0.0, 0.0, 0.0, 16.0, 16.0], [0.0, 12.0, 0.0, 28.0, 16.0]]])
    alone = torch.stack([centre_maps(pair[:, [i]], 1, (4, 8), 4)[0] for i in range(2)])
    assert torch.equal(centre_maps(pair, 1, (4, 8), 4)[0], alone.amax(dim=0))


def test_sides_are_where_the_box_is_seen_from_the_middle_of_its_cell():
    _, sides = centre_maps(OBJECTS, 3, (6, 8), 4)
    assert sides[0, :, 3, 2].tolist() == [10 - 2, 14 - 4, 14 - 10, 20 - 14]
    assert sides[0, :, 2, 6].tolist() == [26 - 20, 10 - 8, 30 - 26, 14 - 10]
    assert (~sides.isnan()).all(dim=1).sum().item() == (~sides.isnan()).any(dim=1).sum().item() == 3


def test_what_is_drawn_is_found_again():
    draw = torch.Generator().manual_seed(0)
    cells = torch.stack([torch.randperm(35, generator=draw)[:4] for _ in range(20)])
    middle = 8 * torch.stack([cells % 7, cells // 7], dim=2) + 8 * torch.rand(20, 4, 2, generator=draw)
    half = 6 + 14 * torch.rand(20, 4, 2, generator=draw)
    objects = torch.cat([torch.randint(5, (20, 4, 1), generator=draw), middle - half, middle + half], dim=2)
    objects[3, 2:] = torch.nan
    heat, sides = centre_maps(objects, 5, (5, 7), 8)
    found = found_objects(heat.where(heat == 1, -torch.inf), sides, 8, most=6)
    assert found.shape == (20, 6, 6)
    for found_here, objects_here in zip(found, objects, strict=True):
        known, kept = objects_here[~objects_here[:, 0].isnan()], found_here[~found_here[:, 0].isnan()]
        assert (kept[:, 5] == 1).all()
        order, other = known[:, 1].argsort(), kept[:, 1].argsort()
        assert_close(kept[other, :5], known[order])


def test_a_peak_is_exceeded_by_no_neighbour_of_its_own_class():
    heat = torch.full((1, 2, 4, 5), -3.0)
    heat[0, 0, 1, 1], heat[0, 0, 2, 2], heat[0, 1, 2, 2], heat[0, 0, 3, 4] = 5.0, 4.0, 2.0, 1.0
    heat[0, 0, 0, 0] = -torch.inf
    found = found_objects(heat, torch.ones(1, 4, 4, 5), 2, most=3)[0]
    assert found[:, 0].tolist() == [0, 1, 0]
    assert found[:, 5].tolist() == [5.0, 2.0, 1.0]
    assert found[0, 1:5].tolist() == [2.0, 2.0, 4.0, 4.0]  # the middle of cell (1, 1) of 2 pixels is (3, 3)
    assert found[2, 1:5].tolist() == [8.0, 6.0, 10.0, 8.0]


def test_where_there_are_fewer_peaks_rows_are_nan():
    found = found_objects(torch.full((2, 1, 2, 2), -torch.inf), torch.ones(2, 4, 2, 2), 2, most=9)
    assert found.shape == (2, 4, 6)
    assert found.isnan().all()


@pytest.mark.parametrize(
    ("objects", "message"),
    [
        ([[3.0, 0, 0, 4, 4]], "objects must have a class from 0 to 2, got 3"),
        ([[0.0, 30, 0, 40, 4]], "objects must have a column from 0 to 7, got 8"),
        ([[0.0, 0, -9, 4, 4]], "objects must have a row from 0 to 5, got -1"),
        ([[0.0, 0, 0, 4, 4], [1, 1, 1, 5, 5]], "a cell each, got two in row 0, column 0 of picture 0: take smaller"),
    ],
)
def test_objects_without_a_cell_of_their_own_are_refused(objects, message):
    with pytest.raises(ValueError, match=message):
        centre_maps(torch.tensor([objects]), 3, (6, 8), 4)
