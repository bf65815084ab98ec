import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.data.features import (
    bagged_texts,
    coded_categories,
    quantile_edges,
    scaled_numbers,
    standardised,
    with_many_values,
)
from equipoise.lab.data.table import Table

COLUMNS = {
    "age": ["10", "20", "", "40", "1000"],
    "size": ["1", "2", "3", "4", "5"],
    "colour": ["red", "", "blue", "red", "green"],
    "shape": ["round", "round", "flat", "", "flat"],
    "text": ["good thing", "", "bad thing", "good", "unheard of"],
}
TRAIN = [0, 1, 2, 3]


def table(columns=COLUMNS):
    return Table("a.csv", columns, 2, "")


def test_numbers_are_standardised_on_the_training_rows_and_missing_ones_are_marked():
    found = scaled_numbers(table(), ["age", "size"], TRAIN)
    known = torch.tensor([10.0, 20.0, 40.0])
    mean, deviation = known.mean(), known.std(correction=0)
    assert_close(found[[0, 1, 3], 0], (known - mean) / deviation)
    assert found[:, 1].tolist() == [0, 0, 1, 0, 0]  # age is missing in row 2
    assert found[2, 0] == 0
    assert_close(found[4, 0], (1000 - mean) / deviation)
    assert found.shape == (5, 3)  # size is nowhere missing
    assert_close(found[TRAIN, 2].mean(), torch.tensor(0.0))
    assert_close(found[TRAIN, 2].square().mean(), torch.tensor(1.0))


def test_columns_with_many_values_have_more_than_two():
    numbers = torch.tensor([[0.0, 1.0, 5.0, -1.0], [1.0, 1.0, 5.0, 2.0], [1.0, 0.0, 5.0, 3.0]])
    assert with_many_values(numbers).tolist() == [3]


def test_bins_of_a_column_have_equally_many_rows_and_no_edge_twice():
    even, mostly_0 = torch.arange(401.0), (torch.arange(401.0) - 300).clamp(min=0)
    edges = quantile_edges(torch.stack([even, even, mostly_0], dim=1), torch.tensor([2, 1]))
    assert [of_column.tolist() for of_column in edges] == [[0.0, 50.0, 100.0], [50.0 * k for k in range(9)]]  # 401 / 50
    assert len(quantile_edges(torch.rand(30, 1), torch.tensor([0]))[0]) == 2  # few rows: one bin from least to most
    assert quantile_edges(torch.rand(30, 1), torch.tensor([], dtype=torch.int64)) == []
    assert {len(of_column) for of_column in quantile_edges(torch.rand(5000, 1000), torch.arange(1000))} == {5}


def test_categories_that_no_training_row_has_are_one_number_of_their_column():
    codes, number_of_codes = coded_categories(table(), ["colour", "shape"], TRAIN)
    # colour: 0 unseen, then "", blue, red; shape begins at 4: unseen, then "", flat, round
    assert codes.tolist() == [[3, 7], [1, 7], [2, 6], [3, 5], [0, 6]]
    assert number_of_codes == 8


@pytest.mark.parametrize("column", ["age", "colour", "text"])
def test_what_is_not_in_the_training_rows_changes_nothing_in_them(column):
    other = table({**COLUMNS, column: [*COLUMNS[column][:4], "7"]})
    chosen = torch.tensor(TRAIN)
    one, two = (scaled_numbers(each, ["age"], TRAIN)[chosen] for each in (table(), other))
    assert torch.equal(one, two)
    for fit, named in ((coded_categories, ["colour"]), (bagged_texts, ["text"])):
        (one, count), (two, other_count) = fit(table(), named, TRAIN), fit(other, named, TRAIN)
        assert all(map(torch.equal, one[chosen], two[chosen]))
        assert torch.equal(torch.as_tensor(count), torch.as_tensor(other_count))


def test_words_are_those_of_the_training_rows():
    found, shares = bagged_texts(table(), ["text"], TRAIN)
    assert len(shares) == 5  # good, thing, bad, and two pairs
    assert [len(bag) for bag in found.bags] == [3, 0, 3, 1, 0]


@pytest.mark.parametrize("far", ["1e21", "-1e308"])
def test_a_number_that_no_float32_can_square_is_named_though_training_has_none(far):
    columns = {"x": ["1", "2", "3", "", far]}
    with pytest.raises(ValueError, match=rf"a\.csv row 6, column 'x': '{far}' cannot be standardised in float32"):
        standardised(table(columns), "x", torch.tensor([0, 1, 2]), "x")
    scaled, mean, deviation = standardised(table({"x": ["1", "3", ""]}), "x", torch.tensor([0, 1]), "x")
    assert (scaled[:2].tolist(), mean, deviation) == ([-1.0, 1.0], 2.0, 1.0)
    assert scaled[2].isnan()
