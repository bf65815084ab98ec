"""A table from a file: CSV (also .tsv, and .gz of both), Parquet or Excel, as columns of cells.

A cell is its text, without blanks around it; an empty one is missing, and 5.0 is 5 in a column that holds both. Rows
are counted as a spreadsheet does: in a CSV file the header is row 1.
"""

import csv
import gzip
import hashlib
import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any, get_args
from zipfile import BadZipFile

from equipoise.lab.case_names import CaseName
from equipoise.names import nearest
from equipoise.own_file import require_file

ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet", ".xlsx")
_EXAMPLES = {
    "captions": "examples/cases/captions.py:make_case",
    "flickr8k": "examples/cases/captions.py:flickr8k",
    "scenes": "examples/cases/scenes.py:make_case",
}  # cases that were in the package
_CELL_LIMIT = 2**31 - 1  # bytes of a cell; csv's own limit of 128 kB is short for documents


@dataclass(frozen=True)
class Table:
    """Columns of equal length by name, in the file's order.

    Args:
        name: Of the file, for messages.
        columns: Cells by the column's name.
        first_row: What the first cells' row is called.
        data_hash: SHA-256 of the file, in hexadecimal.
    """

    name: str
    columns: dict[str, list[str]]
    first_row: int
    data_hash: str

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def cells(self, column: str) -> list[str]:
        """The cells of a column.

        Raises:
            ValueError: If there is no such column.
        """
        if column not in self.columns:
            raise ValueError(f"{self.name} has no column {column!r}; {nearest(column, self.columns)}")
        return self.columns[column]

    def emptied(self, words: Sequence[str]) -> "Table":
        """The table with the cells that are one of these words empty."""
        empty = dict.fromkeys(words, "")
        return replace(self, columns={name: list(map(empty.get, cells, cells)) for name, cells in self.columns.items()})

    def place(self, index: int, column: str) -> str:
        """Where a cell is, for messages.

        >>> Table("a.csv", {"age": ["31"]}, 2, "").place(0, "age")
        "a.csv row 2, column 'age'"
        """
        return f"{self.name} row {self.first_row + index}, column {column!r}"


def is_table(name: str) -> bool:
    """Whether a file of this name is read as a table."""
    return name.lower().endswith(ENDINGS)


def require_case_name(name: str) -> None:
    """Raise a ValueError unless this is the name of a ready case, or ``path/to/file.py:name``, whatever is there."""
    if name.endswith(".py"):
        raise ValueError(f"{name} needs the name of what makes the case, such as {name}:make_case")
    if name.endswith((".yaml", ".yml")):
        raise ValueError(f"{name} is a configuration: write --config {name}")
    if name.rpartition(":")[0].endswith(".py"):
        return
    if Path(name).suffix or (name not in get_args(CaseName) and Path(name).exists()):
        raise ValueError(f"{name!r} must end in one of {', '.join(ENDINGS)}, be path/to/file.py:name, or a case's name")
    if name in _EXAMPLES:
        raise ValueError(
            f"case {name!r} is an example now: give {_EXAMPLES[name]} of the repository; a study that was made by the "
            "name can be reported, not resumed"
        )
    if name not in get_args(CaseName):
        raise ValueError(f"unknown case {name!r}; {nearest(name, get_args(CaseName))}")


def require_table(path: Path) -> None:
    """Raise a ValueError where there is no file of this path, or it is no table by its name."""
    if not is_table(path.name):
        raise ValueError(f"{str(path)!r} must end in one of {', '.join(ENDINGS)}")
    require_file(str(path))


def read_header(path: Path, delimiter: str | None = None) -> list[str]:
    """The names of a table's columns, without the rest of the file; arguments and errors as of ``read_table``."""
    require_table(path)
    lower = path.name.lower()
    if not lower.endswith((".parquet", ".xlsx")):
        csv.field_size_limit(_CELL_LIMIT)
        mark = delimiter or _mark(lower)
        try:
            with gzip.open(path) if lower.endswith(".gz") else path.open("rb") as file:
                lines = io.TextIOWrapper(file, "utf-8-sig", newline="")
                header = [cell.strip() for cell in next(csv.reader(lines, delimiter=mark, strict=True))]
        except (StopIteration, UnicodeDecodeError, csv.Error, OSError, EOFError, zlib.error):
            header = []  # the whole file says what is wrong
        if header:
            _require_header(path.name, header, mark)
            return header
    return list(read_table(path, delimiter).columns)


def read_table(path: Path, delimiter: str | None = None) -> Table:
    """Read a file whose name ends in one of ``ENDINGS``.

    Args:
        path: The file.
        delimiter: What stands between the cells of a CSV file; None: a tab in .tsv, else a comma.

    Raises:
        ValueError: If there is no such file, or it is no table; the message has the row.
    """
    require_table(path)
    return parse_table(path.name, path.read_bytes(), delimiter)


def parse_table(name: str, content: bytes, delimiter: str | None = None) -> Table:
    """The table in the content of a file: Parquet, Excel or gzip by the name's end, else CSV.

    Args:
        name: Of the file.
        content: Its bytes.
        delimiter: As ``read_table`` takes it.

    Raises:
        ValueError: If it is no table; the message has the row.
    """
    from equipoise.lab.data.values import spelled_once  # and NumPy, which wrong names do not wait for

    columns = _columns(name, content, delimiter)
    spelled = {column: spelled_once(cells) for column, cells in columns.items()}
    first_row = 1 if name.lower().endswith(".parquet") else 2
    return Table(name, spelled, first_row, hashlib.sha256(content).hexdigest())


def _columns(name: str, content: bytes, delimiter: str | None) -> dict[str, list[str]]:
    lower = name.lower()
    if lower.endswith(".parquet"):
        return _parquet(name, content)
    if lower.endswith(".xlsx"):
        return _excel(name, content)
    if lower.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{name} is no whole gzip file ({error}): compress it anew") from None
    delimiter = delimiter or _mark(lower)
    _require_text(name, content)
    return _csv(name, content.rstrip(b"\r\n"), delimiter)


def _mark(name: str) -> str:
    """What stands between the cells of a file of this name."""
    return "\t" if ".tsv" in name else ","


def _require_text(name: str, content: bytes) -> None:
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise ValueError(f"{name} line {line} holds a zero byte, so it is no UTF-8 text: save it as CSV in UTF-8")
    try:
        is_blank = not content.decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{name} line {line} is not UTF-8 (byte 0x{content[error.start]:02x}): save it in UTF-8, "
            "for example by iconv -f latin1 -t utf8"
        ) from None
    if is_blank:
        raise ValueError(f"{name} is empty: it needs a header and rows")


def _csv(name: str, content: bytes, delimiter: str) -> dict[str, list[str]]:
    csv.field_size_limit(_CELL_LIMIT)
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8-sig", newline="")
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    once: dict[str, str] = {}  # millions of cells are few strings
    rows: list[list[str]] = []
    line = 1  # where the next row begins
    try:
        for row in reader:
            cells = list(map(once.setdefault, row, row)) or [""]
            if not rows:
                cells = [cell.strip() for cell in cells]
                _require_header(name, cells, delimiter)
            elif len(cells) != len(rows[0]):
                raise ValueError(
                    f"{name} row {len(rows) + 1} has {len(row)} cells, the header has {len(rows[0])}: "
                    f"put a cell that holds {delimiter!r} or a line's end in double quotes"
                )
            rows.append(cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{name} row {len(rows) + 1}, which begins in line {line}: {_quotes(str(error))}") from None
    if len(rows) == 1:
        raise ValueError(f"{name} has only a header: it needs rows")
    header, columns = rows[0], zip(*rows[1:], strict=True)
    bare = {cell: once.setdefault(stripped, stripped) for cell in list(once) if (stripped := cell.strip()) != cell}
    return {
        column: list(map(bare.get, cells, cells)) if bare else list(cells)
        for column, cells in zip(header, columns, strict=True)
    }


def _quotes(error: str) -> str:
    if "unexpected end of data" in error:
        return "a double quote is opened and never closed"
    return f"{error}: double the quotes inside a quoted cell" if "expected after" in error else error


def _require_header(name: str, header: list[str], delimiter: str) -> None:
    other = next((mark for mark in ";\t|," if mark != delimiter and mark in "".join(header)), None)
    if len(header) == 1 and other:
        raise ValueError(
            f"{name} has one column, {header[0]!r}: if {other!r} is between the cells, give --delimiter "
            f"(delimiter={other!r})"
        )
    for place, column in enumerate(header, start=1):
        if not column:
            raise ValueError(f"{name} row 1: the name of column {place} is empty")
        if header.count(column) > 1:
            twice = [str(i) for i, name in enumerate(header, start=1) if name == column]
            raise ValueError(
                f"{name} row 1: columns {' and '.join(twice)} are both named {column!r}: it must hold names"
            )


def _parquet(name: str, content: bytes) -> dict[str, list[str]]:
    try:
        from pyarrow import ArrowException, parquet
    except ModuleNotFoundError:
        raise ValueError(f'{name}: Parquet needs pyarrow: pip install "equipoise[parquet]"') from None
    try:
        read = parquet.read_table(io.BytesIO(content))
    except (ArrowException, OSError) as error:
        raise ValueError(f"{name} is no Parquet file: {error}") from None
    names = read.column_names
    for column in names:
        if names.count(column) > 1:
            raise ValueError(f"{name}: two columns are named {column!r}")
    if not names or not len(read):
        raise ValueError(f"{name} is empty: it needs columns and rows")
    return {column: _texts(read.column(column).to_pylist(), f"column {column!r}", name, 1) for column in names}


def _excel(name: str, content: bytes) -> dict[str, list[str]]:
    try:
        from openpyxl import load_workbook
        from openpyxl.utils.exceptions import InvalidFileException
    except ModuleNotFoundError:
        raise ValueError(
            f'{name}: Excel files need openpyxl: pip install "equipoise[excel]", or save it as CSV'
        ) from None
    try:
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError, OSError, ValueError) as error:
        raise ValueError(f"{name} is no Excel file ({error}): save it as CSV") from None
    if len(book.sheetnames) > 1:
        raise ValueError(f"{name} has sheets {', '.join(book.sheetnames)}: save the one that is meant as CSV")
    rows = list(book[book.sheetnames[0]].iter_rows(values_only=True))
    columns = [list(column) for column in zip_longest(*rows) if any(cell is not None for cell in column)]
    if len(rows) < 2 or not columns:
        raise ValueError(f"{name} is empty: it needs a header and rows")
    header = _texts([column[0] for column in columns], "the header", name, 1)
    _require_header(name, header, ",")
    return {one: _texts(column[1:], f"column {one!r}", name, 2) for one, column in zip(header, columns, strict=True)}


def _texts(values: list[Any], place: str, name: str, first_row: int) -> list[str]:
    """Values as the cells that a CSV file has."""
    if wrong := {*map(type, values)} & {list, dict, bytes}:
        row = next(row for row, value in enumerate(values, first_row) if type(value) in wrong)
        raise ValueError(f"{name} row {row}, {place} holds a {type(values[row - first_row]).__name__}, not one value")
    return ["" if value is None or value != value else str(value).strip() for value in values]  # NaN is not itself
