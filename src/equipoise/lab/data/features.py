"""Inputs of a table as tensors: what has to be fitted sees the training rows only."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from equipoise.lab.data.cells import numbers
from equipoise.lab.data.table import Table
from equipoise.lab.data.text import encode, frequencies, ngrams, vocabulary

VOCABULARY_SIZE = 8000
LARGEST = torch.finfo(torch.float32).max ** 0.5  # of a standardised number: a loss may square it

Row = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Features:
    """Inputs of all rows of a table.

    Args:
        numbers: Standardised to mean 0 and standard deviation 1 on the training rows, 0 where missing; then, for each
            column that has a missing cell, 1 where it is missing [N, D], float32.
        categories: A number for every category column [N, C], int64: the columns share one range, each begins with the
            number of what no training row has.
        bags: The numbers of each row's n-grams [L_n], int64.
        num_categories: How many numbers ``categories`` has.
        frequencies: The share of training rows with each n-gram [V], above 0 to 1, float32.
    """

    numbers: Tensor
    categories: Tensor
    bags: tuple[Tensor, ...]
    num_categories: int
    frequencies: Tensor

    def row(self, index: int) -> Row:
        """The inputs of a row: numbers [D], categories [C], n-grams [L]."""
        return self.numbers[index], self.categories[index], self.bags[index]


def make_features(
    table: Table, train: Sequence[int], *, number: Iterable[str], category: Iterable[str], text: Iterable[str]
) -> Features:
    """The inputs in these columns, fitted on the rows ``train``.

    Raises:
        ValueError: If a column is not there, a number column holds something else, or says nothing in ``train``.
    """
    scaled = [_scaled(table, column, train) for column in number]
    codes, begin = [], 0
    for column in category:
        found, size = _coded(table.cells(column), train)
        codes.append(found + begin)
        begin += size
    bags, shares = _bags([table.cells(column) for column in text], len(table), train)
    return Features(
        numbers=torch.cat([torch.empty(len(table), 0), *scaled], dim=1),
        categories=torch.stack(codes, dim=1) if codes else torch.empty(len(table), 0, dtype=torch.int64),
        bags=bags,
        num_categories=begin,
        frequencies=shares,
    )


def standardised(table: Table, column: str, train: Sequence[int], what: str) -> tuple[Tensor, float, float]:
    """A column of numbers with mean 0 and standard deviation 1 on the training rows [N] in float64, NaN where missing.

    Args:
        table: The table.
        column: A column of it.
        train: The training rows.
        what: What the column is called in a message.

    Returns:
        The numbers, and the mean and the deviation that they had.

    Raises:
        ValueError: If a number cannot be standardised so that its square is a float32, or see ``mean_and_deviation``.
    """
    values = numbers(table, column)
    mean, deviation = mean_and_deviation(values[list(train)], what)
    scaled = (values - mean) / deviation
    known, moments = ~values.isnan(), math.isfinite(mean) and math.isfinite(deviation)
    far = known & ~(scaled.abs() <= LARGEST)
    if not moments or far.any():
        row = int(far.nonzero()[0]) if moments else int(values.abs().nan_to_num(-1.0).argmax())
        raise ValueError(
            f"{table.place(row, column)}: {table.cells(column)[row]!r} cannot be standardised in float32 beside the "
            f"training rows (mean {mean:g}, standard deviation {deviation:g}): correct it, or empty the cell"
        )
    return scaled, mean, deviation


def mean_and_deviation(values: Tensor, what: str) -> tuple[float, float]:
    """Of the values [N] that are not NaN.

    Raises:
        ValueError: If there are none, or all are the same.
    """
    known = values[~values.isnan()]
    if not len(known):
        raise ValueError(f"{what} is empty in every training row: leave it out, or fill more cells")
    if known.min() == known.max():
        raise ValueError(f"{what} is {known[0].item():g} in every training row: leave it out")
    return known.mean().item(), known.std(correction=0).item()


def _scaled(table: Table, column: str, train: Sequence[int]) -> Tensor:
    values, _, _ = standardised(table, column, train, f"column {column!r} of {table.name}")
    missing = values.isnan()
    scaled = values.masked_fill(missing, 0.0)
    both = [scaled, missing.double()] if missing.any() else [scaled]
    return torch.stack(both, dim=1).float()


def _coded(cells: Sequence[str], train: Sequence[int]) -> tuple[Tensor, int]:
    """Numbers from 1 for the cells of the training rows, an empty one among them; 0 for any other."""
    numbers = {cell: place for place, cell in enumerate(sorted({cells[i] for i in train}), start=1)}
    return torch.tensor([numbers.get(cell, 0) for cell in cells], dtype=torch.int64), len(numbers) + 1


def _bags(columns: Sequence[list[str]], rows: int, train: Sequence[int]) -> tuple[tuple[Tensor, ...], Tensor]:
    documents = [[ngram for cells in columns for ngram in ngrams(cells[i])] for i in range(rows)]
    numbers = vocabulary((documents[i] for i in train), VOCABULARY_SIZE)
    bags = tuple(encode(document, numbers) for document in documents)
    return bags, frequencies([bags[i] for i in train], len(numbers))
