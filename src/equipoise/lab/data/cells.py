"""Cells of a column as numbers, places among known answers, classes, levels or sets of labels."""

import math
from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.lab.data.table import Table
from equipoise.missing import MISSING

SEPARATOR = ";"  # between the labels of a cell


def numbers(table: Table, column: str) -> Tensor:
    """The column as numbers [N] in float64, NaN where a cell is empty.

    Raises:
        ValueError: If a cell is no finite number, or all are empty.
    """
    values = [
        _number(cell, table, index, column) if cell else math.nan for index, cell in enumerate(_filled(table, column))
    ]
    return torch.tensor(values, dtype=torch.float64)


def filled_numbers(table: Table, column: str) -> Tensor:
    """As ``numbers`` where no cell may be empty, but in float32.

    Raises:
        ValueError: If a cell is no finite number.
    """
    return torch.tensor([_number(cell, table, index, column) for index, cell in enumerate(table.cells(column))])


def places(table: Table, column: str, known: Sequence[str]) -> Tensor:
    """Where in ``known`` every cell of the column stands [N], int64.

    Raises:
        ValueError: If a cell is none of them.
    """
    cells = table.cells(column)
    place = {name: number for number, name in enumerate(known)}
    for index, cell in enumerate(cells):
        if cell not in place:
            raise ValueError(f"{table.place(index, column)}: {cell!r} is none of {', '.join(filter(None, known))}")
    return torch.tensor([place[cell] for cell in cells], dtype=torch.int64)


def optional_places(table: Table, column: str, known: Sequence[str]) -> Tensor:
    """As ``places``, with -100 where a cell is empty."""
    found = places(table, column, [*known, ""])
    return found.masked_fill(found == len(known), MISSING)


def is_number(cell: str) -> bool:
    """Whether a cell is a finite number as ``numbers`` reads it.

    >>> [is_number(cell) for cell in ("3", "-2.5e3", "3,5", "1_000", "inf")]
    [True, True, False, False, False]
    """
    try:
        return math.isfinite(float(cell)) and "_" not in cell
    except ValueError:
        return False


def classes(table: Table, column: str) -> tuple[Tensor, tuple[str, ...]]:
    """The column as classes [N], int64, -100 where a cell is empty, and the classes' names in alphabetical order.

    Raises:
        ValueError: If there are fewer than two classes, or one is seen once.
    """
    cells = _filled(table, column)
    counts = Counter(cell for cell in cells if cell)
    names = tuple(sorted(counts))
    if len(names) < 2:
        raise ValueError(f"column {column!r} of {table.name} has one class, {names[0]!r}: there is nothing to learn")
    if once := [name for name in counts if counts[name] == 1]:
        others = f" (and {len(once) - 1} other classes)" if len(once) > 1 else ""
        raise ValueError(
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
    cells = [cell.lower() for cell in _filled(table, column)]
    found = list(dict.fromkeys(cell for cell in cells if cell))
    if len(found) > 2:
        third = cells.index(found[2])
        raise ValueError(
            f"{table.place(third, column)}: {found[2]!r} is a third value beside {found[0]!r} and {found[1]!r}: "
            "is it multiclass?"
        )
    if len(found) < 2:
        raise ValueError(f"column {column!r} of {table.name} is always {found[0]!r}: there is nothing to learn")
    no, yes = sorted(found)
    marks = {no: 0.0, yes: 1.0, "": math.nan}
    return torch.tensor([marks[cell] for cell in cells]), (no, yes)


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
        for index, cell in enumerate(cells):
            if cell and not is_number(cell):
                raise ValueError(
                    f"{table.place(index, column)}: {cell!r} is no number: give the order of the levels, "
                    f"{column}:ordinal:low,middle,high"
                )
        order = sorted({cell for cell in cells if cell}, key=float)
    if len(order) < 2:
        raise ValueError(f"column {column!r} of {table.name} has one level, {order[0]!r}: there is nothing to learn")
    return optional_places(table, column, order), tuple(order)


def label_sets(table: Table, column: str) -> tuple[Tensor, tuple[str, ...]]:
    """Cells like ``red;soft`` as 0 or 1 for each label [N, L], float32, and the labels' names.

    A row is NaN where the cell is empty; a cell with the separator alone has none of the labels.

    Raises:
        ValueError: If there are fewer than two labels, or one is seen once.
    """
    cells = _filled(table, column)
    sets = [{part.strip() for part in cell.split(SEPARATOR)} - {""} for cell in cells]
    counts = Counter(label for labels in sets for label in labels)
    names = tuple(sorted(counts))
    if len(names) < 2:
        raise ValueError(
            f"column {column!r} of {table.name} has {len(names)} label: multilabel cells are like a{SEPARATOR}b"
        )
    for name in names:
        if counts[name] == 1:
            index = next(index for index, labels in enumerate(sets) if name in labels)
            raise ValueError(f"{table.place(index, column)}: the label {name!r} is seen once: join it with another")
    rows = [
        [float(name in labels) for name in names] if cell else [math.nan] * len(names)
        for cell, labels in zip(cells, sets, strict=True)
    ]
    return torch.tensor(rows), names


def _filled(table: Table, column: str) -> list[str]:
    cells = table.cells(column)
    if not any(cells):
        raise ValueError(f"column {column!r} of {table.name} is empty in every row")
    return cells


def _number(cell: str, table: Table, index: int, column: str) -> float:
    if is_number(cell):
        return float(cell)
    try:
        float(cell)
    except ValueError:
        hint = "; the decimal mark is a point" if is_number(cell.replace(",", ".", 1)) else ""
        raise ValueError(
            f"{table.place(index, column)}: {cell!r} is no number{hint}: correct it, or empty the cell"
        ) from None
    raise ValueError(f"{table.place(index, column)}: {cell!r} is no finite number: correct it, or empty the cell")
