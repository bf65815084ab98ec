"""Columns of a csv file, held as numbers of distinct cells: millions of cells are few strings."""

import csv
import gzip
import math
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


@dataclass(frozen=True)
class Column:
    """The cells of one column.

    Args:
        name: As in the header.
        codes: Which of ``cells`` each row holds [N], int64.
        cells: The distinct cells, in the order in which they first occur.
        path: The file, for messages.
    """

    name: str
    codes: Tensor
    cells: tuple[str, ...]
    path: Path

    def __len__(self) -> int:
        return len(self.codes)

    def texts(self) -> list[str]:
        """Every row's cell."""
        return [self.cells[code] for code in self.codes.tolist()]

    def numbers(self, empty: float | None = None) -> Tensor:
        """Every row's cell as a number [N]; an empty cell is ``empty``.

        Raises:
            ValueError: If a cell is no finite number, or empty while ``empty`` is None.
        """
        values = [empty if cell == "" and empty is not None else self._number(cell) for cell in self.cells]
        return torch.tensor(values)[self.codes]

    def places(self, known: Sequence[str], otherwise: int | None = None) -> Tensor:
        """Where in ``known`` every row's cell stands [N], int64; one that is not there is ``otherwise``.

        Raises:
            ValueError: If a cell is not there while ``otherwise`` is None.
        """
        place = {cell: number for number, cell in enumerate(known)}
        for cell in self.cells:
            if cell not in place and otherwise is None:
                raise self._wrong(cell, f"one of {', '.join(map(repr, known))}")
        return torch.tensor([place.get(cell, otherwise) for cell in self.cells])[self.codes]

    def _number(self, cell: str) -> float:
        try:
            number = float(cell)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise self._wrong(cell, "a number")
        if abs(number) > torch.finfo(torch.float32).max:
            raise self._wrong(cell, "a number that float32 holds")
        return number

    def _wrong(self, cell: str, expected: str) -> ValueError:
        row = int((self.codes == self.cells.index(cell)).nonzero()[0])
        return ValueError(f"{self.path}, data row {row + 1}, column {self.name!r}: must be {expected}, got {cell!r}")


def read_columns(path: Path, names: Sequence[str]) -> dict[str, Column]:
    """Columns of a csv file that has a header, gzip-compressed if its name ends in ``.gz``.

    Raises:
        ValueError: If the file is missing or damaged, has no rows, lacks a column, or a row has too few or too many
            cells.
    """
    cells: list[dict[str, int]] = [{} for _ in names]
    codes = array("q")
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8", newline="") as file
        ):
            rows = csv.reader(file)
            header = next(rows, [])
            for name in names:
                if header.count(name) != 1:
                    raise ValueError(f"{path} must have one column {name!r}, got {header.count(name)} in {header}")
            picked = [header.index(name) for name in names]
            for number, row in enumerate(rows, start=1):
                if len(row) != len(header):
                    raise ValueError(f"{path}, data row {number}: must have {len(header)} cells, got {len(row)}")
                codes.extend([seen.setdefault(row[i], len(seen)) for seen, i in zip(cells, picked, strict=True)])
    except FileNotFoundError:
        raise ValueError(f"{path} is missing") from None
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    if not codes:
        raise ValueError(f"{path} has no rows")
    table = torch.frombuffer(codes, dtype=torch.int64).view(-1, len(names))
    return {
        name: Column(name, table[:, i].contiguous(), tuple(seen), path)
        for i, (name, seen) in enumerate(zip(names, cells, strict=True))
    }
