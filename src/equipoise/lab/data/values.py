"""What is in the cells of a column, each different cell looked at once."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_MAY_BE_MISSING = ("na", "n/a", "nan", "null", "none", "?")  # in lower case
SEPARATOR = ";"  # between the labels of a cell

Numbers = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]


def coded(cells: Sequence[str]) -> tuple[Codes, list[str]]:
    """The different cells in the order of their first row, and for each row which it has [N].

    >>> coded(["b", "", "b"])
    (array([0, 1, 0]), ['b', ''])
    """
    place = {cell: number for number, cell in enumerate(dict.fromkeys(cells))}
    return np.fromiter(map(place.__getitem__, cells), np.int64, len(cells)), list(place)


def number_in(cell: str) -> float:
    """The finite number in a cell, NaN where there is none.

    >>> [number_in(cell) for cell in ("3", "-2.5e3", "3,5", "1_000", "inf")]
    [3.0, -2500.0, nan, nan, nan]
    """
    try:
        number = float(cell)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) and "_" not in cell else math.nan


def is_number(cell: str) -> bool:
    """Whether there is a finite number in a cell."""
    return not math.isnan(number_in(cell))


def spelled_once(cells: Sequence[str]) -> list[str]:
    """The cells of a column, 5.0 as 5 where both are there: what writes whole numbers beside empty cells adds .0.

    >>> spelled_once(["5", "5.0", "2.0", "x.0", "x"])
    ['5', '5', '2.0', 'x.0', 'x']
    """
    different = set(cells)
    floats = {cell: cell[:-2] for cell in different if cell.endswith(".0")}
    same = {cell: whole for cell, whole in floats.items() if whole in different and is_number(whole)}
    return list(map(same.get, cells, cells)) if same else list(cells)


def may_be_missing(cell: str) -> bool:
    """Whether a cell is a word by which some programs write that it is empty, and others a value.

    >>> may_be_missing("NaN"), may_be_missing("Nan Goldin"), may_be_missing("")
    (True, False, False)
    """
    return cell.lower() in _MAY_BE_MISSING
