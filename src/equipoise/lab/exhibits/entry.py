"""One entry of ``exhibits.json``, which may be somebody else's: every value is of its type, or nothing is shown."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from equipoise.lab.data.within import file_within
from equipoise.lab.exhibits.result import Card, Gallery, Matrix, Picture, Result, Shown, Table

FILE = "exhibits.json"
_PNG = b"\x89PNG\r\n\x1a\n"
_FIELDS = {
    "matrix": ("rows", "columns", "row_title", "column_title", "shares", "counts", "note"),
    "table": ("columns", "rows", "note"),
    "gallery": ("cards", "note"),
    "failed": ("reason",),
}
T = TypeVar("T")


def read_entry(entry: Any, folder: Path) -> Shown:
    """What an entry of a run's ``exhibits.json`` shows, or why it is not shown."""
    path = folder / FILE
    try:
        name, title = _text(entry["name"], "name"), _text(entry["title"], "title")
        tasks = _each(entry["tasks"], "tasks", _text)
    except (TypeError, KeyError, ValueError) as error:
        return Shown("damaged", "Damaged entry", (), f"an entry of {path} is damaged ({_line(error)})")
    try:
        return Shown(name, title, tasks, _result(entry, folder))
    except (TypeError, KeyError, ValueError, OSError) as error:
        return Shown(name, title, tasks, f"its entry in {path} is damaged ({_line(error)})")


def _line(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else " ".join(str(error).split())


def _result(entry: Mapping[str, Any], folder: Path) -> Result | str:
    kind = _text(entry["kind"], "kind")
    if kind not in _FIELDS:
        raise ValueError(f"kind must be one of {', '.join(_FIELDS)}, got {kind[:40]!r}")
    given = [key for key in entry if key not in ("name", "title", "tasks", "kind")]
    if set(given) != set(_FIELDS[kind]):
        raise ValueError(f"a {kind} has {', '.join(_FIELDS[kind])}, got {', '.join(given)[:80]}")
    if kind == "failed":
        return _text(entry["reason"], "reason")
    note = _text(entry["note"], "note")
    if kind == "gallery":
        return Gallery(_each(entry["cards"], "cards", lambda card, _: _card(card, folder)), note)
    columns = _each(entry["columns"], "columns", _text)
    if kind == "table":
        rows = _each(entry["rows"], "rows", lambda row, what: _each(row, what, _cell, len(columns)))
        return Table(columns, rows, note)
    names = _each(entry["rows"], "rows", _text)
    shares = _grid(entry["shares"], "shares", _share, (len(names), len(columns)))
    counts = _grid(entry["counts"], "counts", _whole, (len(names), len(columns))) if entry["counts"] else ()
    titles = _text(entry["row_title"], "row_title"), _text(entry["column_title"], "column_title")
    return Matrix(names, columns, *titles, shares, counts, note)


def _card(card: Mapping[str, Any], folder: Path) -> Card:
    lines = _each(card["lines"], "lines", _text)
    if not lines:
        raise ValueError("a card needs a line")
    return Card(lines, _each(card["pictures"], "pictures", lambda one, _: _picture(one, folder)))


def _picture(one: Mapping[str, Any], folder: Path) -> Picture:
    name = _text(one["file"], "file of a picture")
    try:
        png = file_within(folder, f"exhibits/{name}").read_bytes()
    except (OSError, ValueError) as error:
        raise ValueError(f"picture {name!r}: {error}") from None
    if not png.startswith(_PNG):
        raise ValueError(f"picture {name!r} is no PNG file")
    return Picture(png, _text(one["caption"], "caption"))


def _each(values: Any, what: str, read: Callable[[Any, str], T], count: int | None = None) -> tuple[T, ...]:
    if not isinstance(values, list) or count not in (None, len(values)):
        raise ValueError(f"{what} must be a list{'' if count is None else f' of {count}'}")
    return tuple(read(value, what) for value in values)


def _grid(values: Any, what: str, read: Callable[[Any, str], T], shape: tuple[int, int]) -> tuple[tuple[T, ...], ...]:
    return _each(values, what, lambda row, _: _each(row, f"a row of {what}", read, shape[1]), shape[0])


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{what} must be text")
    return value


def _whole(value: Any, what: str) -> int:
    if type(value) is not int:
        raise ValueError(f"{what} must hold whole numbers")
    return value


def _share(value: Any, what: str) -> float | None:
    if value is not None and type(value) not in (int, float):
        raise ValueError(f"{what} must hold numbers")
    return value  # type: ignore[no-any-return]


def _cell(value: Any, what: str) -> str | int | float | None:
    if value is not None and type(value) not in (str, int, float, bool):
        raise ValueError(f"{what} must hold texts and numbers")
    return value  # type: ignore[no-any-return]
