"""CSV files of ours: what a spreadsheet would take for a formula stands behind an apostrophe."""

import csv
import hashlib
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from equipoise.lab.files.atomic import DamagedError, write_if_changed

Kind = type[str] | type[int] | type[float]
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_QUOTED = re.compile(r"'+[=+\-@\t\r\n]")
_CELL_LIMIT = 2**31 - 1  # characters; csv's own limit of 128 kB is short for a reason in words


def write_rows(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file by ``write_if_changed``."""
    content = "".join(f"{','.join(map(_written, row))}\n" for row in (header, *rows)).encode("utf-8")
    write_if_changed(path, content)


def read_rows(path: Path, columns: Mapping[str, Kind], written: str | None = None) -> list[dict[str, str]]:
    """The rows that ``write_rows`` wrote, as text by column.

    Args:
        path: The file.
        columns: Those that it must have, and what each cell of them must be.
        written: SHA-256 of the file as it was written; None: not known.

    Raises:
        DamagedError: It is not as it was written, or no such table.
    """
    content = path.read_bytes()
    if written is not None and hashlib.sha256(content).hexdigest() != written:
        raise DamagedError(path, "is not as it was written (its checksum does not fit)")
    csv.field_size_limit(_CELL_LIMIT)
    try:
        lines = csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True)
        header, *rows = ([unquoted(cell) for cell in line] for line in lines)
    except (ValueError, csv.Error) as error:  # not UTF-8, or empty
        raise DamagedError(path, f"is damaged ({error})") from None
    if absent := [column for column in columns if column not in header]:
        raise DamagedError(path, f"is damaged (it has no column {absent[0]!r})")
    places = [(header.index(name), name, kind) for name, kind in columns.items() if kind is not str]
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise DamagedError(path, f"is damaged (row {number} has {len(row)} cells, the header has {len(header)})")
        for place, name, kind in places:
            if not _is(row[place], kind):
                raise DamagedError(
                    path, f"is damaged (row {number}, column {name!r}: {row[place][:40]!r} is no number)"
                )
    return [dict(zip(header, row, strict=True)) for row in rows]


def to_frame(header: Sequence[str], rows: Sequence[Sequence[object]]) -> Any:
    """The rows as a pandas frame.

    Raises:
        ModuleNotFoundError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise ModuleNotFoundError("to_frame needs pandas: pip install pandas", name="pandas") from None
    return pandas.DataFrame(rows, columns=list(header))


def _written(cell: object) -> str:
    """A cell as it stands in the file; Python's own writer leaves a carriage return bare, where its reader stops."""
    if cell is None:
        return ""
    text = repr(cell) if isinstance(cell, float) else str(quoted(cell))
    return '"{}"'.format(text.replace('"', '""')) if re.search(r'[",\r\n]', text) else text


def quoted(cell: object) -> object:
    """The cell behind an apostrophe if it is text that a spreadsheet would calculate.

    >>> [quoted(cell) for cell in ("=1+1", -0.5, "'@x", "rating")]
    ["'=1+1", -0.5, "''@x", 'rating']
    """
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell


def unquoted(cell: str) -> str:
    """What ``quoted`` took."""
    return cell[1:] if _QUOTED.match(cell) else cell


def _is(cell: str, kind: Kind) -> bool:
    if kind is int:
        return re.fullmatch(r"\d{1,19}", cell) is not None
    try:
        return not math.isnan(float(cell)) or cell == "nan"
    except ValueError:
        return False
