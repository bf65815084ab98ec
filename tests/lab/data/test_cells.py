import math

import pytest
import torch

from equipoise.lab.data.cells import binary, classes, filled_numbers, label_sets, levels, numbers, places
from equipoise.lab.data.table import Table
from equipoise.missing import MISSING


def table(*cells):
    return Table("a.csv", {"a": list(cells)}, 2, "")


def test_numbers_and_empty_cells():
    found = numbers(table("3", "", "-2.5e3", "1600000001"), "a")
    assert found.dtype == torch.float64
    assert found.isnan().tolist() == [False, True, False, False]
    assert found[[0, 2, 3]].tolist() == [3, -2500, 1600000001]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["0", "1", ""], [0, 1, math.nan]),
        (["Yes", "no", "yes"], [1, 0, 1]),
        (["TRUE", "False", ""], [1, 0, math.nan]),
        (["1", "-1", "1"], [1, 0, 1]),
    ],
)
def test_binary_however_it_is_written(cells, expected):
    found, _ = binary(table(*cells), "a")
    assert torch.equal(
        torch.nan_to_num(found, nan=7.0), torch.nan_to_num(torch.tensor(expected, dtype=torch.float32), nan=7.0)
    )


def test_classes_are_in_the_order_of_the_alphabet():
    found, names = classes(table("b", "a", "", "b", "a"), "a")
    assert names == ("a", "b")
    assert found.tolist() == [1, 0, MISSING, 1, 0]


def test_levels_are_in_the_order_of_numbers_or_of_the_user():
    found, names = levels(table("10", "9", "", "9"), "a")
    assert (found.tolist(), names) == ([1, 0, MISSING, 0], ("9", "10"))
    found, names = levels(table("low", "high", ""), "a", ("low", "middle", "high"))
    assert (found.tolist(), names) == ([0, 2, MISSING], ("low", "middle", "high"))


def test_levels_that_are_one_number_are_in_the_order_of_the_rows():
    found, names = levels(table("1", "0.0", "1.0", "0", "-0"), "a")
    assert (found.tolist(), names) == ([3, 0, 4, 1, 2], ("0.0", "0", "-0", "1", "1.0"))


@pytest.mark.parametrize("cell", ["1_000", "1e999", "x"])
def test_the_first_row_with_a_cell_that_is_no_number_is_named(cell):
    with pytest.raises(ValueError, match=rf"a\.csv row 4, column 'a': '{cell}' is no "):
        numbers(table("2", "", cell, "y", cell), "a")


def test_sets_of_labels():
    found, names = label_sets(table("red; soft", "", "soft", ";", "red"), "a")
    assert names == ("red", "soft")
    assert found[[0, 2, 3, 4]].tolist() == [[1, 1], [0, 1], [0, 0], [1, 0]]
    assert found[1].isnan().all()


def test_places_are_among_the_known_answers_and_another_is_named():
    assert places(table("2", "", "1", "2"), "a", ("1", "2", "")).tolist() == [1, 2, 0, 1]
    with pytest.raises(ValueError, match=r"a\.csv row 3, column 'a': '3' is none of 1, 2$"):
        places(table("2", "3"), "a", ("1", "2", ""))


@pytest.mark.parametrize("cell", ["many", "nan", "inf", ""])
def test_where_every_cell_is_a_number_an_empty_one_is_none(cell):
    assert torch.equal(filled_numbers(table("31", "4.5"), "a"), torch.tensor([31.0, 4.5]))
    with pytest.raises(ValueError, match=rf"a\.csv row 3, column 'a': '{cell}' is no "):
        filled_numbers(table("1", cell), "a")
