"""What the columns of a table look like: a guess for each, with its reason."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from equipoise.lab.data.guess_inputs import guess_input
from equipoise.lab.data.table import Table
from equipoise.lab.data.values import SEPARATOR, is_number, may_be_missing
from equipoise.lab.data.words import spaced_parts

_DATE = re.compile(r"\d{4}[-/.]\d\d?[-/.]\d\d?([T ].*)?|\d\d?[./]\d\d?[./]\d{2,4}")
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
    counts = Counter(cells)  # of the different cells, in the order of the rows
    del counts[""]
    filled = counts.total()
    empty = f", {len(cells) - filled} empty" if filled < len(cells) else ""
    if len(counts) < 2:
        return Guess(column, None, None, f"always {next(iter(counts))!r}{empty}" if counts else "empty in every row")

    def rows(holds: Callable[[str], Any]) -> int:
        """How many rows have a cell of which something holds."""
        return sum(count for cell, count in counts.items() if holds(cell))

    wrong = [cell for cell in counts if not is_number(cell)]
    words = sum(count * len(spaced_parts(cell)) for cell, count in counts.items()) / filled if wrong else 1.0
    if wrong and filled - sum(counts[cell] for cell in wrong) >= 0.9 * filled:
        place = table.place(cells.index(wrong[0]), column)
        say = f", or say --missing {wrong[0]}" if may_be_missing(wrong[0]) else ""
        why = f"nearly all numbers, but {place} is {wrong[0]!r}: correct it, or empty the cell{say}"
        return Guess(column, None, None, why)
    if _is_id(column, list(counts), filled, not wrong, words):
        return Guess(column, None, None, "every row has its own value, as an id has: it says nothing of a new row")
    if len({cell.lower() for cell in counts}) == 2:
        both = " and ".join(sorted(counts)[:2])
        return Guess(column, "category" if wrong else "number", "binary", f"two values, {both}{empty}")
    if not wrong:
        return _guess_number(column, list(counts), empty)
    if rows(_DATE.fullmatch) >= 0.9 * filled:
        return Guess(column, None, None, f"dates{empty}: make a number of them, such as days since a day")
    if words < 10 and rows(lambda cell: SEPARATOR in cell) > 0.2 * filled:
        parts = {cell: {part.strip() for part in cell.split(SEPARATOR)} - {""} for cell in counts}
        labels: Counter[str] = Counter()
        for cell, count in counts.items():
            labels.update(dict.fromkeys(parts[cell], count))
        if sum(map(len, parts.values())) > len(labels):  # some label is in different cells
            why = f"{len(labels)} different labels with {SEPARATOR!r} between{empty}"
            return Guess(column, "text", "multilabel" if min(labels.values()) > 1 else None, why)
    if len(counts) <= min(_MOST_CATEGORIES, max(3, 0.2 * filled)):
        least = min(counts, key=counts.__getitem__)
        once = f"; {least!r} is seen once, as a target it has to be joined with another" if counts[least] == 1 else ""
        return Guess(column, "category", "multiclass", f"{len(counts)} different values{empty}{once}")
    return Guess(column, "text", None, f"{len(counts)} different texts of {words:.0f} words on average{empty}")


def _guess_number(column: str, cells: Sequence[str], empty: str) -> Guess:
    different = {float(cell) for cell in cells}
    why = f"numbers from {min(different):g} to {max(different):g}{empty}"
    if len(different) <= _FEW_NUMBERS and all(value.is_integer() for value in different):
        return Guess(column, "number", "regression", f"{len(different)} whole {why}; levels in order would be ordinal")
    return Guess(column, "number", "regression", why)


def _is_id(column: str, different: Sequence[str], filled: int, numeric: bool, words: float) -> bool:
    if len(different) < filled or filled < 10:
        return False
    if numeric:
        values = sorted(float(cell) for cell in different)
        consecutive = all(b - a == 1 for a, b in pairwise(values))
        return consecutive or (bool(_ID_NAME.search(column)) and all(value.is_integer() for value in values))
    return words < 1.5 and not all(_DATE.fullmatch(cell) for cell in different)
