"""Kinds of inputs of a table: how columns are read, fitted on the training rows, and turned into vectors."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.lab.data.features import (
    bagged_texts,
    coded_categories,
    join_features,
    one_hot,
    quantile_edges,
    scaled_numbers,
    with_many_values,
)
from equipoise.lab.data.folder import cache_folder
from equipoise.lab.data.molecules import DESCRIPTORS, descriptors, fingerprints
from equipoise.lab.data.table import Table
from equipoise.lab.data.text import Bags, tf_idf
from equipoise.lab.data.values import number_in
from equipoise.lab.data.vectors import read_vectors, scaled_vectors
from equipoise.lab.data.words import words
from equipoise.lab.models.encoders import Part, bits_part, category_part, text_part
from equipoise.lab.models.numbers import number_part

BITS, RADIUS = 2048, 2


@dataclass(frozen=True)
class FileOptions:
    """How files that a table names are read.

    Args:
        folder: The table's, where paths in cells begin.
        image_size: Pixels of a picture's sides.
        seconds: Of a sound; None: of the longest of the training rows, at most 5.
    """

    folder: Path
    image_size: int = 64
    seconds: float | None = None


@dataclass(frozen=True)
class FittedInputs:
    """The inputs of one kind of all rows of a table, fitted on the training rows.

    Args:
        rows: Indexed by rows [M], int64, it gives a batch of these.
        make_part: Makes the part of a ``RowEncoder`` that takes such a batch; draws from torch's generator.
        note: How the inputs were made, where that is not always the same.
        pictures: Of a row to show, [H, W, 3] or, in grey, [H, W], uint8, by caption; None: there are none.
        make_features: Makes numbers of all rows [N, D], an array or a sparse matrix, for models of scikit-learn; None
            where these cannot learn from such inputs.
        wide: Whether heads see what the part makes beside what the layers make of it.
    """

    rows: Tensor | Bags
    make_part: Callable[[], Part]
    note: str = ""
    pictures: Callable[[int], dict[str, Tensor]] | None = None
    make_features: Callable[[], Any] | None = None
    wide: bool = False


def features_maker(
    inputs: Mapping[str, FittedInputs], splits: Mapping[str, Sequence[int]]
) -> Callable[[str], Any] | None:
    """The name of a split -> features of all kinds side by side, for scikit-learn; None where one kind has none."""
    makers = [fitted.make_features for fitted in inputs.values() if fitted.make_features is not None]
    if len(makers) < len(inputs):
        return None
    every = cache(lambda: join_features([make() for make in makers]))
    return lambda split: every()[splits[split]]


class RowInputs:
    """Columns of one kind as inputs.

    Args:
        table: The table.
        columns: Of it, all of this kind.
        files: How files that they name are read.
    """

    content = ""  # SHA-256 in hexadecimal of what is not in the table's own file

    def __init__(self, table: Table, columns: Sequence[str], files: FileOptions) -> None:
        self.table, self.columns, self.files = table, columns, files

    def row_keys(self) -> list[list[str]]:
        """For each column a text for each row [N], the same where two rows are the same to this kind."""
        return [self.table.cells(column) for column in self.columns]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        """The inputs of all rows, where what has to be fitted sees the rows ``train`` only.

        Raises:
            ValueError: If a cell is not of this kind.
        """
        raise NotImplementedError


class Numbers(RowInputs):
    """Standardised numbers, and encodings of each where a column has more than two values."""

    def row_keys(self) -> list[list[str]]:
        return [_spelled_alike(cells) for cells in super().row_keys()]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows = scaled_numbers(self.table, self.columns, train)
        seen = rows[list(train)]
        encoded = with_many_values(seen)
        edges = quantile_edges(seen, encoded)
        return FittedInputs(rows, lambda: number_part(rows.shape[1], encoded, edges), make_features=rows.numpy)


def _spelled_alike(cells: Sequence[str]) -> list[str]:
    """A number that is written in several ways, such as 5, 5.0 and 5e0, in one: that of an integer, or the shortest."""
    numbers = {cell: number_in(cell) for cell in dict.fromkeys(cells)}
    spelled = {cell: repr(number + 0.0).removesuffix(".0") for cell, number in numbers.items() if number == number}
    return list(map(spelled.get, cells, cells))


class Categories(RowInputs):
    """A vector for each value."""

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows, categories = coded_categories(self.table, self.columns, train)
        return FittedInputs(
            rows, lambda: category_part(categories, len(self.columns)), make_features=lambda: one_hot(rows, categories)
        )


class Texts(RowInputs):
    """The sum of the vectors of all columns' n-grams."""

    def row_keys(self) -> list[list[str]]:
        return [[" ".join(words(cell)) for cell in cells] for cells in super().row_keys()]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows, frequencies = bagged_texts(self.table, self.columns, train)
        return FittedInputs(
            rows,
            lambda: text_part(frequencies),
            make_features=lambda: tf_idf(rows.bags, frequencies),
            wide=True,
        )


class Molecules(RowInputs):
    """The fingerprint of a SMILES, of 2,048 bits, through a layer; of an empty cell no bit is 1."""

    def __init__(self, table: Table, columns: Sequence[str], files: FileOptions) -> None:
        super().__init__(table, columns, files)
        read = partial(fingerprints, bits=BITS, radius=RADIUS, cache=cache_folder())
        bits = [_of_filled(table, column, torch.zeros(len(table), BITS, dtype=torch.uint8), read) for column in columns]
        self.bits = torch.stack(bits, dim=1)

    def row_keys(self) -> list[list[str]]:
        return [[digest_of(row.numpy().tobytes()) for row in column] for column in self.bits.unbind(1)]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        require_filled(self.table, self.columns, train)
        return FittedInputs(
            self.bits,
            lambda: bits_part(BITS * len(self.columns)),
            make_features=lambda: self.bits.flatten(1).float().numpy(),
        )


class MoleculeDescriptors(RowInputs):
    """Properties of a SMILES, such as weight, logP and polar surface; standardised, 0 of an empty cell."""

    def row_keys(self) -> list[list[str]]:
        return []  # the fingerprints' do

    def fit(self, train: Sequence[int]) -> FittedInputs:
        read = partial(descriptors, cache=cache_folder())
        empty = torch.full((len(self.table), len(DESCRIPTORS)), torch.nan)
        found = [_of_filled(self.table, column, empty.clone(), read) for column in self.columns]
        rows = torch.cat([scaled_vectors(one, train) for one in found], dim=1)
        return FittedInputs(rows, lambda: (nn.Identity(), rows.shape[1]), make_features=rows.numpy)


class Vectors(RowInputs):
    """The rows of arrays in .npy files, standardised."""

    def __init__(self, table: Table, columns: Sequence[str], files: FileOptions) -> None:
        super().__init__(table, columns, files)
        self.arrays = [read_vectors(Path(path), table) for path in columns]
        self.content = digest_of(*(Path(path).read_bytes() for path in columns))

    def row_keys(self) -> list[list[str]]:
        return [[digest_of(row.tobytes()) for row in array] for array in self.arrays]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows = torch.cat([scaled_vectors(torch.from_numpy(array), train) for array in self.arrays], dim=1)
        return FittedInputs(rows, lambda: (nn.Identity(), rows.shape[1]), make_features=rows.numpy)


def _of_filled(table: Table, column: str, found: Tensor, read: Callable[..., Tensor]) -> Tensor:
    """``found`` [N, D] with what ``read`` makes of the cells that are not empty in their rows."""
    cells = table.cells(column)
    filled = [row for row, cell in enumerate(cells) if cell]
    if filled:
        found[filled] = read([cells[row] for row in filled], place=lambda i: table.place(filled[i], column))
    return found


def require_filled(table: Table, columns: Sequence[str], train: Sequence[int]) -> None:
    """Raise a ValueError where a column has no cell in the training rows."""
    for column in columns:
        cells = table.cells(column)
        if not any(cells[row] for row in train):
            raise ValueError(
                f"column {column!r} of {table.name} is empty in every training row: leave it out, or fill more cells"
            )


def digest_of(*contents: bytes) -> str:
    """SHA-256 of contents one after another, in hexadecimal."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    return digest.hexdigest()
