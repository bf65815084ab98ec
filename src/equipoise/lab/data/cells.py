"""Cells of a column as numbers, places among known answers, classes, levels or sets of labels."""

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from equipoise.lab.data.table import Table
from equipoise.lab.data.values import SEPARATOR, Codes, coded, is_number, may_be_missing, number_in
from equipoise.missing import MISSING


class NothingToLearnError(ValueError):
    """A column has too few labels, or always the same, though no cell of it is wrong."""


def numbers(table: Table, column: str) -> Tensor:
    """The column as numbers [N] in float64, NaN where a cell is empty.

    Raises:
        ValueError: If a cell is no finite number, or all are empty.
    """
    return _numbers(table, column, _filled(table, column), may_be_empty=True)


def filled_numbers(table: Table, column: str) -> Tensor:
    """As ``numbers`` where no cell may be empty, but in float32.

    Raises:
        ValueError: If a cell is no finite number.
    """
    return _numbers(table, column, table.cells(column), may_be_empty=False).float()


def places(table: Table, column: str, known: Sequence[str]) -> Tensor:
    """Where in ``known`` every cell of the column stands [N], int64.

    Raises:
        ValueError: If a cell is none of them.
    """
    cells = table.cells(column)
    codes, different = coded(cells)
    place = {name: number for number, name in enumerate(known)}
    if other := [cell for cell in different if cell not in place]:
        where = table.place(cells.index(other[0]), column)
        raise ValueError(f"{where}: {other[0]!r} is none of {', '.join(filter(None, known))}")
    return _of_rows(codes, [place[cell] for cell in different])


def optional_places(table: Table, column: str, known: Sequence[str]) -> Tensor:
    """As ``places``, with -100 where a cell is empty."""
    found = places(table, column, [*known, ""])
    return found.masked_fill(found == len(known), MISSING)


def classes(table: Table, column: str) -> tuple[Tensor, tuple[str, ...]]:
    """The column as classes [N], int64, -100 where a cell is empty, and the classes' names in alphabetical order.

    Raises:
        NothingToLearnError: If there are fewer than two classes, or one is seen once.
    """
    cells = _filled(table, column)
    counts = Counter(cells)
    del counts[""]
    names = tuple(sorted(counts))
    if len(names) < 2:
        raise NothingToLearnError(
            f"column {column!r} of {table.name} has one class, {names[0]!r}: there is nothing to learn"
        )
    if once := [name for name in counts if counts[name] == 1]:
        others = f" (and {len(once) - 1} other classes)" if len(once) > 1 else ""
        raise NothingToLearnError(
            f"{table.place(cells.index(once[0]), column)}: the class {once[0]!r} is seen once{others}: join it with "
            "another, or empty the cell"
        )
    return optional_places(table, column, names), names


def binary(table: Table, column: str) -> tuple[Tensor, tuple[str, str]]:
    """The column as 0 or 1 [N], float32, NaN where a cell is empty, and the names of both.

    1 is the later of the two in the alphabet, in lower case: 1 beside 0 or -1, true beside false, yes beside no.

    Raises:
        ValueError: If there are not two values.
    """
    codes, different = coded(_filled(table, column))
    lower = [cell.lower() for cell in different]
    found = [cell for cell in dict.fromkeys(lower) if cell]
    if len(found) > 2:
        third = int((codes == lower.index(found[2])).argmax())
        raise ValueError(
            f"{table.place(third, column)}: {found[2]!r} is a third value beside {found[0]!r} and {found[1]!r}: "
            "is it multiclass?"
        )
    if len(found) < 2:
        raise NothingToLearnError(
            f"column {column!r} of {table.name} is always {found[0]!r}: there is nothing to learn"
        )
    no, yes = sorted(found)
    marks = {no: 0.0, yes: 1.0, "": math.nan}
    return _of_rows(codes, [marks[cell] for cell in lower]), (no, yes)


def levels(table: Table, column: str, order: Sequence[str] = ()) -> tuple[Tensor, tuple[str, ...]]:
    """The column as levels 0 to K - 1 [N], int64, -100 where a cell is empty, and their names, the least first.

    Args:
        table: The table.
        column: A column of it.
        order: The names of the levels, the least first; empty: they are numbers.

    Raises:
        ValueError: If a cell is no level, levels are no numbers and have no order, or there are fewer than two.
    """
    cells = _filled(table, column)
    if not order:
        different = [cell for cell in dict.fromkeys(cells) if cell]
        if words := [cell for cell in different if not is_number(cell)]:
            raise ValueError(
                f"{table.place(cells.index(words[0]), column)}: {words[0]!r} is no number: give the order of the "
                f"levels, {column}:ordinal:low,middle,high"
            )
        order = sorted(different, key=float)
    if len(order) < 2:
        raise NothingToLearnError(
            f"column {column!r} of {table.name} has one level, {order[0]!r}: there is nothing to learn"
        )
    return optional_places(table, column, order), tuple(order)


def label_sets(table: Table, column: str) -> tuple[Tensor, tuple[str, ...]]:
    """Cells like ``red;soft`` as 0 or 1 for each label [N, L], float32, and the labels' names.

    A row is NaN where the cell is empty; a cell with the separator alone has none of the labels.

    Raises:
        ValueError: If there are fewer than two labels, or one is seen once.
    """
    codes, different = coded(_filled(table, column))
    sets = [{part.strip() for part in cell.split(SEPARATOR)} - {""} for cell in different]
    counts = Counter(label for code in codes.tolist() for label in sets[code])
    names = tuple(sorted(counts))
    if len(names) < 2:
        raise NothingToLearnError(
            f"column {column!r} of {table.name} has {len(names)} label: multilabel cells are like a{SEPARATOR}b"
        )
    for name in names:
        if counts[name] == 1:
            index = next(index for index, code in enumerate(codes) if name in sets[code])
            raise NothingToLearnError(
                f"{table.place(index, column)}: the label {name!r} is seen once: join it with another"
            )
    rows = [
        [float(name in labels) for name in names] if cell else [math.nan] * len(names)
        for cell, labels in zip(different, sets, strict=True)
    ]
    return _of_rows(codes, rows), names


def _filled(table: Table, column: str) -> list[str]:
    cells = table.cells(column)
    if not any(cells):
        raise NothingToLearnError(f"column {column!r} of {table.name} is empty in every row")
    return cells


def _of_rows(codes: Codes, values: Sequence[Any]) -> Tensor:
    """The values of the rows [N, ...] by those of the different cells."""
    return torch.tensor(values)[torch.from_numpy(codes)]


def _numbers(table: Table, column: str, cells: list[str], *, may_be_empty: bool) -> Tensor:
    codes, different = coded(cells)
    values = [number_in(cell) for cell in different]
    for cell, value in zip(different, values, strict=True):
        if math.isnan(value) and (cell or not may_be_empty):
            raise ValueError(
                f"{table.place(cells.index(cell), column)}: {cell!r} is no {_missed(cell)}: correct it, or empty the "
                f"cell{f', or say --missing {cell}' * may_be_missing(cell)}"
            )
    return torch.tensor(values, dtype=torch.float64)[torch.from_numpy(codes)]


def _missed(cell: str) -> str:
    """What a cell is not, so that it has no number."""
    try:
        float(cell)
    except ValueError:
        return "number; the decimal mark is a point" if is_number(cell.replace(",", ".", 1)) else "number"
    return "finite number"
