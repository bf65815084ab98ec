"""A table from a file: CSV (also .tsv, and .gz of both) or Parquet, as columns of cells.

A cell is its text, without blanks around it; an empty one is missing. Rows are counted as a spreadsheet does: in a CSV
file the header is row 1.
"""

import csv
import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equipoise.names import nearest

ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
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

    def place(self, index: int, column: str) -> str:
        """Where a cell is, for messages.

        >>> Table("a.csv", {"age": ["31"]}, 2, "").place(0, "age")
        "a.csv row 2, column 'age'"
        """
        return f"{self.name} row {self.first_row + index}, column {column!r}"


def is_table(name: str) -> bool:
    """Whether a file of this name is read as a table."""
    return name.lower().endswith(ENDINGS)


def require_table(path: Path) -> None:
    """Raise a ValueError where there is no file of this path, or it is no table by its name."""
    if not is_table(path.name):
        raise ValueError(f"{str(path)!r} must end in one of {', '.join(ENDINGS)}")
    if not path.is_file():
        raise ValueError(f"there is no file {str(path)!r} (looked in {path.resolve().parent})")


def read_table(path: Path, delimiter: str | None = None) -> Table:
    """Read a file whose name ends in one of ``ENDINGS``.

    Args:
        path: The file.
        delimiter: What stands between the cells of a CSV file; None: a tab in .tsv, else a comma.

    Raises:
        ValueError: If there is no such file, or it is no table; the message has the row.
    """
    require_table(path)
    content = path.read_bytes()
    data_hash = hashlib.sha256(content).hexdigest()
    lower = path.name.lower()
    if lower.endswith(".parquet"):
        return Table(path.name, _parquet(path), 1, data_hash)
    if lower.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path.name} is no whole gzip file ({error}): compress it anew") from None
    if delimiter is None:
        delimiter = "\t" if ".tsv" in lower else ","
    return Table(path.name, _csv(path.name, _text(path.name, content), delimiter), 2, data_hash)


def _text(name: str, content: bytes) -> str:
    if b"\0" in content:
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise ValueError(f"{name} line {line} holds a zero byte, so it is no UTF-8 text: save it as CSV in UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{name} line {line} is not UTF-8 (byte 0x{content[error.start]:02x}): save it in UTF-8, "
            "for example by iconv -f latin1 -t utf8"
        ) from None


def _csv(name: str, text: str, delimiter: str) -> dict[str, list[str]]:
    if not text.strip():
        raise ValueError(f"{name} is empty: it needs a header and rows")
    csv.field_size_limit(_CELL_LIMIT)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[list[str]] = []
    start = 1
    try:
        for row in reader:
            rows.append([cell.strip() for cell in row])
            start = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"{name} row {len(rows) + 1}, which begins in line {start}: {_quotes(str(error))}") from None
    while rows and not rows[-1]:
        rows.pop()  # blank lines at the end
    header, *body = rows
    _require_header(name, header, delimiter)
    if not body:
        raise ValueError(f"{name} has only a header: it needs rows")
    for number, row in enumerate(body, start=2):
        if not row and len(header) == 1:
            row.append("")
        if len(row) != len(header):
            raise ValueError(
                f"{name} row {number} has {len(row)} cells, the header has {len(header)}: "
                f"put a cell that holds {delimiter!r} or a line's end in double quotes"
            )
    return {column: [row[place] for row in body] for place, column in enumerate(header)}


def _quotes(error: str) -> str:
    if "unexpected end of data" in error:
        return "a double quote is opened and never closed"
    return f"{error}: double the quotes inside a quoted cell" if "expected after" in error else error


def _require_header(name: str, header: list[str], delimiter: str) -> None:
    other = next((mark for mark in ";\t|," if mark != delimiter and mark in "".join(header)), None)
    if len(header) == 1 and other:
        raise ValueError(f"{name} has one column, {header[0]!r}: if {other!r} is between the cells, say --delimiter")
    for place, column in enumerate(header, start=1):
        if not column:
            raise ValueError(f"{name} row 1: the name of column {place} is empty")
        if header.count(column) > 1:
            twice = [str(i) for i, name in enumerate(header, start=1) if name == column]
            raise ValueError(f"{name} row 1: columns {' and '.join(twice)} are both named {column!r}")


def _parquet(path: Path) -> dict[str, list[str]]:
    try:
        from pyarrow import ArrowException, parquet
    except ModuleNotFoundError:
        raise ValueError(f'{path.name}: Parquet needs pyarrow: pip install "equipoise[parquet]"') from None
    try:
        read = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        raise ValueError(f"{path.name} is no Parquet file: {error}") from None
    names = read.column_names
    for column in names:
        if names.count(column) > 1:
            raise ValueError(f"{path.name}: two columns are named {column!r}")
    if not names or not len(read):
        raise ValueError(f"{path.name} is empty: it needs columns and rows")
    return {
        column: [_cell(value, f"{path.name} row {row}, column {column!r}") for row, value in enumerate(values, 1)]
        for column, values in ((name, read.column(name).to_pylist()) for name in names)
    }


def _cell(value: Any, place: str) -> str:
    if value is None or value != value:  # NaN
        return ""
    if isinstance(value, list | dict | bytes):
        raise ValueError(f"{place} holds a {type(value).__name__}, not one value")
    return str(value).strip()
