"""Kinds of inputs of a table: how columns are read, fitted on the training rows, and turned into vectors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from equipoise.lab.data.features import bagged_texts, coded_categories, scaled_numbers
from equipoise.lab.data.table import Table
from equipoise.lab.data.text import Bags, words
from equipoise.lab.models.encoders import Part, category_part, text_part


@dataclass(frozen=True)
class FittedInputs:
    """The inputs of one kind of all rows of a table, fitted on the training rows.

    Args:
        rows: Indexed by rows [M], int64, it gives a batch of these.
        make_part: Makes the part of a ``RowEncoder`` that takes such a batch; draws from torch's generator.
    """

    rows: Tensor | Bags
    make_part: Callable[[], Part]


class RowInputs:
    """Columns of one kind as inputs.

    Args:
        table: The table.
        columns: Of it, all of this kind.
    """

    def __init__(self, table: Table, columns: Sequence[str]) -> None:
        self.table, self.columns = table, columns

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
    """Standardised numbers, as they are."""

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows = scaled_numbers(self.table, self.columns, train)
        return FittedInputs(rows, lambda: (nn.Identity(), rows.shape[1]))


class Categories(RowInputs):
    """A vector for each value."""

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows, categories = coded_categories(self.table, self.columns, train)
        return FittedInputs(rows, lambda: category_part(categories, len(self.columns)))


class Texts(RowInputs):
    """The sum of the vectors of all columns' n-grams."""

    def row_keys(self) -> list[list[str]]:
        return [[" ".join(words(cell)) for cell in cells] for cells in super().row_keys()]

    def fit(self, train: Sequence[int]) -> FittedInputs:
        rows, frequencies = bagged_texts(self.table, self.columns, train)
        return FittedInputs(rows, lambda: text_part(frequencies))


# by option; a row's vectors are side by side in this order
INPUT_KINDS: Mapping[str, type[RowInputs]] = {"number": Numbers, "category": Categories, "text": Texts}
