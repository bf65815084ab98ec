"""Which columns are said to hold a target's answer."""

import csv

import numpy as np
import pytest
from scipy.stats import spearmanr

from equipoise.lab.data.leaks import leaks
from equipoise.lab.data.table import read_table

ROWS = 300


def leak(table, column, target):
    """Why a column may leak a target; None where there is no sign."""
    return dict(leaks(table, [column], [target])).get(column)


@pytest.fixture
def told(tmp_path):
    """What is said of a column of numbers beside a target of numbers."""

    def of(column, target):
        path = tmp_path / "table.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("column", "price"), *zip(column.tolist(), target.tolist(), strict=True)])
        return leak(read_table(path), "column", "price")

    return of


def prices(seed=0):
    return np.random.default_rng(seed).lognormal(3.0, 1.5, ROWS)


@pytest.mark.parametrize(
    "copy",
    [
        np.log,
        np.square,
        lambda price: price.argsort().argsort(),
        lambda price: -np.sqrt(price),
        lambda price: 1 / price,
    ],
    ids=["logarithm", "square", "rank", "falling", "inverse"],
)
def test_a_monotone_copy_is_told_though_its_correlation_is_no_more_than_that_of_honest_columns(told, copy):
    price = prices()
    assert abs(np.corrcoef(copy(price), price)[0, 1]) < 0.99
    assert told(copy(price), price) == (
        "it ranks the rows as 'price' does: the correlation of their ranks is 1.000 in size"
    )


def test_a_straight_copy_is_told_by_its_correlation(told):
    assert told(3 - 2 * prices(), prices()) == "its correlation with 'price' is 1.000 in size"


def test_ranks_are_those_of_spearman_with_ties(told):
    rng = np.random.default_rng(1)
    price = np.floor(prices() / 5) * 5
    finer = 1 / (1 + price + 4 * rng.random(ROWS))
    size = abs(spearmanr(finer, price).statistic)
    assert 0.99 < size < 0.995
    assert f"{size:.3f} in size" in told(finer, price)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("correlation", [0.0, 0.8, 0.95, 0.97])
def test_columns_that_only_go_with_a_target_are_left_in_peace(told, seed, correlation):
    rng = np.random.default_rng(seed)
    price = rng.standard_normal(ROWS)
    column = correlation * price + (1 - correlation**2) ** 0.5 * rng.standard_normal(ROWS)
    assert told(column, price) is None
    assert told(np.exp(column), price) is None
    assert told(np.round(2 * column), np.round(2 * price)) is None  # few levels, many ties


def test_columns_that_are_nearly_always_zero_are_left_in_peace(told):
    rng = np.random.default_rng(0)
    price, column = (np.where(rng.random(ROWS) < 0.05, rng.random(ROWS), 0.0) for _ in range(2))
    assert told(column, price) is None


def test_columns_that_are_zero_in_the_same_rows_are_told_only_by_the_other_rows(told):
    rng = np.random.default_rng(0)
    filled = np.arange(1000) < 20
    visits, cost = (np.where(filled, rng.lognormal(0.0, 2.0, 1000), 0.0) for _ in range(2))
    assert spearmanr(visits, cost).statistic > 0.99
    assert told(visits, cost) is None
    assert "correlation of their ranks is 1.000" in told(np.sqrt(visits), visits)
    few = filled & (np.arange(1000) < 9)
    assert told(np.where(few, visits, 0.0), np.where(few, cost, 0.0)) is None
    assert told(np.where(few, np.sqrt(visits), 0.0), np.where(few, visits, 0.0)) is None  # too few to say so


@pytest.fixture
def said(tmp_path):
    """What is said of a column of names beside a target of classes."""

    def of(column, target):
        path = tmp_path / "names.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([("column", "kind"), *zip(column, target, strict=True)])
        return leak(read_table(path), "column", "kind")

    return of


def test_a_value_that_is_seen_once_tells_nothing(said):
    # 82 rows of "plain" are all "no"; the other 18 have a value each, which was never seen with their answer before
    column = ["plain"] * 82 + [f"code {i}" for i in range(18)]
    assert said(column, ["no"] * 82 + ["yes", "no"] * 9) is None
    # two rows of each code with one answer: each is told by the other
    column = ["plain"] * 82 + [f"code {i // 2}" for i in range(18)]
    assert said(column, ["no"] * 82 + ["yes", "yes", "no", "no"] * 4 + ["yes", "yes"]) == (
        "its value predicts 'kind' in 100.0% of the rows"
    )
    assert said(column, ["no"] * 82 + ["yes", "no"] * 9) is None


def test_a_value_that_goes_with_one_answer_is_told_but_for_one_row_in_a_hundred(said):
    column, target = ["a", "b", "c"] * 100, ["x", "y", "x"] * 100
    assert "predicts 'kind' in 100.0%" in said(column, target)
    target[0] = target[3] = "y"
    assert "predicts 'kind' in 99.3%" in said(column, target)
    target[6] = target[9] = "y"
    assert said(column, target) is None


@pytest.mark.parametrize("positives", [1, 2])
def test_so_few_rows_of_an_answer_that_chance_would_do_it_say_nothing(said, told, positives):
    # the largest number stands at the one row by chance once in 60; 2 of 20 rows fall on one value once in 190
    rows = 60 if positives == 1 else 20
    answer = np.arange(rows) < positives
    assert told(-np.arange(rows) / 7.0, answer.astype(int)) is None
    assert said(np.where(answer, "a", "b"), np.where(answer, "yes", "no")) is None
