import math

import pytest
import torch

from equipoise.lab.data.cells import binary, classes, label_sets, levels, numbers
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


def test_sets_of_labels():
    found, names = label_sets(table("red; soft", "", "soft", ";", "red"), "a")
    assert names == ("red", "soft")
    assert found[[0, 2, 3, 4]].tolist() == [[1, 1], [0, 1], [0, 0], [1, 0]]
    assert found[1].isnan().all()
