"""What the columns of a table look like: a guess for each, with its reason."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from equipoise.lab.data.cells import SEPARATOR, is_number
from equipoise.lab.data.guess_inputs import guess_input
from equipoise.lab.data.table import Table

_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d\d?[./]\d\d?[./]\d{2,4}")
_ID_NAME = re.compile(r"(?i)(^|[ _-])(id|uuid|guid|key|index|no|nr|number)$|^unnamed|[a-z]I[dD]$")
_FEW_NUMBERS = 10  # as many different whole numbers may be levels
_MOST_CATEGORIES = 50


@dataclass(frozen=True)
class Guess:
    """What a column is.

    Args:
        column: Its name.
        kind: The option that it is an input by, such as ``"number"``; None: nothing to learn from.
        target: The kind of target it would be, one of ``equipoise.lab.cases.TARGET_KINDS``; None: it would be none.
        why: The reason, in words.
    """

    column: str
    kind: str | None
    target: str | None
    why: str


def guess_columns(table: Table, folder: Path | None = None) -> list[Guess]:
    """A guess for each column, in order; ``folder`` is where paths in cells begin, None: nothing is a path."""
    found = {column: guess_input(dict.fromkeys(cells), folder) for column, cells in table.columns.items()}
    return [
        Guess(column, kind[0], None, kind[1]) if (kind := found[column]) else _guess(column, cells, table)
        for column, cells in table.columns.items()
    ]


def _guess(column: str, cells: Sequence[str], table: Table) -> Guess:
    filled = [cell for cell in cells if cell]
    counts = Counter(filled)
    empty = f", {len(cells) - len(filled)} empty" if len(filled) < len(cells) else ""
    if len(counts) < 2:
        return Guess(column, None, None, f"always {filled[0]!r}{empty}" if filled else "empty in every row")
    words = sum(len(cell.split()) for cell in filled) / len(filled)
    numeric = [is_number(cell) for cell in filled]
    if 0.9 * len(filled) <= sum(numeric) < len(filled):
        wrong = next(cell for cell in filled if not is_number(cell))
        place = table.place(cells.index(wrong), column)
        return Guess(column, None, None, f"nearly all numbers, but {place} is {wrong!r}: correct it, or empty the cell")
    if _is_id(column, filled, len(counts), all(numeric), words):
        return Guess(column, None, None, "every row has its own value, as an id has: it says nothing of a new row")
    if len({cell.lower() for cell in filled}) == 2:
        both = " and ".join(sorted(counts)[:2])
        return Guess(column, "category" if not all(numeric) else "number", "binary", f"two values, {both}{empty}")
    if all(numeric):
        return _guess_number(column, filled, empty)
    if sum(_DATE.fullmatch(cell) is not None for cell in filled) >= 0.9 * len(filled):
        return Guess(column, None, None, f"dates{empty}: make a number of them, such as days since a day")
    labels = Counter(part.strip() for cell in filled for part in cell.split(SEPARATOR))
    shared = sum(len(cell.split(SEPARATOR)) for cell in counts) > len(labels)  # some label is in different cells
    if shared and sum(SEPARATOR in cell for cell in filled) > 0.2 * len(filled) and words < 10:
        why = f"{len(labels)} different labels with {SEPARATOR!r} between{empty}"
        return Guess(column, "text", "multilabel" if min(labels.values()) > 1 else None, why)
    if len(counts) <= min(_MOST_CATEGORIES, max(3, 0.2 * len(filled))):
        least = min(counts, key=counts.__getitem__)
        once = f"; {least!r} is seen once, as a target it has to be joined with another" if counts[least] == 1 else ""
        return Guess(column, "category", "multiclass", f"{len(counts)} different values{empty}{once}")
    return Guess(column, "text", None, f"{len(counts)} different texts of {words:.0f} words on average{empty}")


def _guess_number(column: str, filled: Sequence[str], empty: str) -> Guess:
    values = [float(cell) for cell in filled]
    different = set(values)
    why = f"numbers from {min(values):g} to {max(values):g}{empty}"
    if len(different) <= _FEW_NUMBERS and all(value.is_integer() for value in different):
        return Guess(column, "number", "regression", f"{len(different)} whole {why}; levels in order would be ordinal")
    return Guess(column, "number", "regression", why)


def _is_id(column: str, filled: Sequence[str], different: int, numeric: bool, words: float) -> bool:
    if different < len(filled) or len(filled) < 10:
        return False
    if numeric:
        values = sorted(float(cell) for cell in filled)
        consecutive = all(b - a == 1 for a, b in pairwise(values))
        return consecutive or (bool(_ID_NAME.search(column)) and all(value.is_integer() for value in values))
    return words < 1.5 and not all(_DATE.fullmatch(cell) for cell in filled)
