"""Inputs of a table as tensors: what has to be fitted sees the training rows only."""

from equipoise.lab import extra  # noqa: F401

# isort: split
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array, hstack, issparse
from torch import Tensor

from equipoise.lab.data.cells import NothingToLearnError, numbers
from equipoise.lab.data.table import Table
from equipoise.lab.data.text import Bags, encode, frequencies, vocabulary
from equipoise.lab.data.words import ngrams

VOCABULARY_SIZE = 8000
BINS, ROWS_PER_BIN, ALL_BINS = 48, 50, 4096
LARGEST = torch.finfo(torch.float32).max ** 0.5  # of a standardised number: a loss may square it


def scaled_numbers(table: Table, columns: Sequence[str], train: Sequence[int]) -> Tensor:
    """Columns of numbers, standardised to mean 0 and standard deviation 1 on the training rows, 0 where missing.

    After each column that has a missing cell stands one of 1 where it is missing, else 0 [N, D], float32.

    Raises:
        ValueError: If a column is not there, holds something else, or says nothing in ``train``.
    """
    rows = torch.as_tensor(train)
    return torch.cat([_scaled(table, column, rows) for column in columns], dim=1)


def with_many_values(numbers: Tensor) -> Tensor:
    """The columns of numbers [N, D] that have more than two values [E], int64."""
    least, most = numbers.aminmax(dim=0)
    return ((numbers != least) & (numbers != most)).any(dim=0).nonzero().flatten()


def quantile_edges(numbers: Tensor, columns: Tensor) -> list[Tensor]:
    """Edges of bins with equally many numbers, of each of some columns [E] of numbers [N, D], each edge once.

    A bin for ``ROWS_PER_BIN`` rows, at most ``BINS`` of a column and ``ALL_BINS`` of all.
    """
    bins = min(BINS, len(numbers) // ROWS_PER_BIN, ALL_BINS // max(1, len(columns)))
    shares = torch.linspace(0, 1, max(1, bins) + 1)
    return [numbers[:, column].quantile(shares).unique() for column in columns]


def coded_categories(table: Table, columns: Sequence[str], train: Sequence[int]) -> tuple[Tensor, int]:
    """A number for each cell of columns of names [N, C], int64, and how many numbers there are.

    The columns share one range; each begins with the number of what no training row has.

    Raises:
        ValueError: If a column is not there.
    """
    codes, begin = [], 0
    for column in columns:
        found, size = _coded(table.cells(column), train)
        codes.append(found + begin)
        begin += size
    return torch.stack(codes, dim=1), begin


def one_hot(codes: Tensor, categories: int) -> csr_array:
    """Numbers [N, C], each below ``categories``, as rows of 0 and 1 [N, categories], sparse.

    >>> one_hot(torch.tensor([[0, 2], [1, 2]]), 3).toarray()
    array([[1., 0., 1.],
           [0., 1., 1.]])
    """
    rows, columns = codes.shape
    begins = np.arange(0, rows * columns + 1, columns)
    return csr_array((np.ones(rows * columns), codes.flatten().numpy(), begins), (rows, categories))


def join_features(parts: Sequence[Any]) -> Any:
    """Arrays and sparse matrices [N, D_i] side by side [N, sum D_i]; sparse where one is."""
    return hstack(parts, format="csr") if any(map(issparse, parts)) else np.concatenate(parts, axis=1)


def bagged_texts(table: Table, columns: Sequence[str], train: Sequence[int]) -> tuple[Bags, Tensor]:
    """The numbers of each row's n-grams in columns of text, and the share of training rows with each n-gram.

    Returns:
        Bags of N rows; shares [V], above 0 to 1, float32.

    Raises:
        ValueError: If a column is not there, or no training row has a word.
    """
    texts = [table.cells(column) for column in columns]
    documents = [[ngram for cells in texts for ngram in ngrams(cells[i])] for i in range(len(table))]
    numbers = vocabulary((documents[i] for i in train), VOCABULARY_SIZE)
    if not numbers:
        raise ValueError(f"text {', '.join(columns)} of {table.name} has no word in any training row")
    bags = Bags(encode(document, numbers) for document in documents)
    return bags, frequencies([bags.bags[i] for i in train], len(numbers))


def standardised(table: Table, column: str, train: Tensor, what: str) -> tuple[Tensor, float, float]:
    """A column of numbers with mean 0 and standard deviation 1 on the training rows [N] in float64, NaN where missing.

    Args:
        table: The table.
        column: A column of it.
        train: The training rows [M], int64.
        what: What the column is called in a message.

    Returns:
        The numbers, and the mean and the deviation that they had.

    Raises:
        ValueError: If a number cannot be standardised so that its square is a float32, or see ``mean_and_deviation``.
    """
    values = numbers(table, column)
    mean, deviation = mean_and_deviation(values[train], what)
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
        NothingToLearnError: If there are none, or all are the same.
    """
    known = values[~values.isnan()]
    if not len(known):
        raise NothingToLearnError(f"{what} is empty in every training row: leave it out, or fill more cells")
    if known.min() == known.max():
        raise NothingToLearnError(f"{what} is {known[0].item():g} in every training row: leave it out")
    return known.mean().item(), known.std(correction=0).item()


def _scaled(table: Table, column: str, train: Tensor) -> Tensor:
    values, _, _ = standardised(table, column, train, f"column {column!r} of {table.name}")
    missing = values.isnan()
    scaled = values.masked_fill(missing, 0.0)
    both = [scaled, missing.double()] if missing.any() else [scaled]
    return torch.stack(both, dim=1).float()


def _coded(cells: Sequence[str], train: Sequence[int]) -> tuple[Tensor, int]:
    """Numbers from 1 for the cells of the training rows, an empty one among them; 0 for any other."""
    numbers = {cell: place for place, cell in enumerate(sorted({cells[i] for i in train}), start=1)}
    return torch.tensor([numbers.get(cell, 0) for cell in cells], dtype=torch.int64), len(numbers) + 1
