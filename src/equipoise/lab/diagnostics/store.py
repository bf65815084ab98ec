"""Diagnostics in the folder of a run: ``exhibits.json``, and its pictures beside it in ``exhibits/``.

The folder may be somebody else's: every value of an entry is of its type, or nothing of it is shown.
"""

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from equipoise.lab.diagnostics.diagnostic import (
    Card,
    Diagnostic,
    DiagnosticResult,
    Gallery,
    Matrix,
    Picture,
    Predictions,
    Result,
    ScoreTable,
)
from equipoise.lab.files import file_within

FILE, PICTURES = "exhibits.json", "exhibits"  # as older folders name them
_PNG = b"\x89PNG\r\n\x1a\n"
_FIELDS = {
    "matrix": ("rows", "columns", "row_title", "column_title", "shares", "counts", "note"),
    "table": ("columns", "rows", "note"),
    "gallery": ("cards", "note"),
    "failed": ("reason",),
}
T = TypeVar("T")


def write_diagnostics(folder: Path, diagnostics: Sequence[Diagnostic], predictions: Predictions) -> None:
    """Make and write all diagnostics whose tasks the network has; one that fails is warned of, and costs itself alone.

    Raises:
        ValueError: If two diagnostics have one name.
    """
    keep_diagnostics(folder, make_diagnostics(diagnostics, predictions))


def make_diagnostics(diagnostics: Sequence[Diagnostic], predictions: Predictions) -> tuple[DiagnosticResult, ...]:
    """All diagnostics whose tasks the network has; one that fails is warned of, and costs itself alone.

    Raises:
        ValueError: If two diagnostics have one name.
    """
    names = [diagnostic.name for diagnostic in diagnostics]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"diagnostics of a case must have different names, got {sorted(twice)} more than once")
    tasks = set(predictions.tasks.names)
    return tuple(_make(diagnostic, predictions) for diagnostic in diagnostics if set(diagnostic.tasks) <= tasks)


def keep_diagnostics(folder: Path, made: Sequence[DiagnosticResult]) -> None:
    """Write diagnostics into a run's folder; nothing where there are none."""
    if made:
        entries = [_entry(shown, place, folder) for place, shown in enumerate(made)]
        (folder / FILE).write_text(json.dumps(entries, indent=1), encoding="utf-8")


def diagnostics_hash(folder: Path) -> str:
    """SHA-256 of what ``write_diagnostics`` wrote into a run's folder, with pictures; empty where it wrote nothing."""
    if not (folder / FILE).is_file():
        return ""
    parts = [folder / FILE, *sorted((folder / PICTURES).glob("*.png"))]
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in parts)).hexdigest()


def read_diagnostics(folder: Path) -> tuple[DiagnosticResult, ...]:
    """What ``write_diagnostics`` wrote into a run's folder; nothing where it wrote nothing.

    The folder may be somebody else's: an entry that is damaged, or a picture that lies outside, costs itself alone and
    says so in place of its result.

    Raises:
        ValueError: ``exhibits.json`` is no list in JSON, or a link that leads out of the folder.
    """
    path = file_within(folder, FILE)
    if not path.is_file():
        return ()
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(entries, list):
            raise ValueError("it must be a list")
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is damaged ({error}): delete it, and the page shows the run without it") from None
    return tuple(read_entry(entry, folder) for entry in entries)


def _make(diagnostic: Diagnostic, predictions: Predictions) -> DiagnosticResult:
    try:
        result: Result | str = diagnostic.show(predictions)
    except Exception as error:  # a user's own code may raise anything, and the run has been paid for
        result = f"it failed with {' '.join(f'{type(error).__name__}: {error}'.split())}"
        warnings.warn(f"diagnostic {diagnostic.name!r} is not shown, {result}; the run itself is kept", stacklevel=2)
    return DiagnosticResult(diagnostic.name, diagnostic.title, diagnostic.tasks, result)


def _entry(shown: DiagnosticResult, place: int, folder: Path) -> dict[str, Any]:
    head = {"name": shown.name, "title": shown.title, "tasks": shown.tasks}
    result = shown.result
    if isinstance(result, str):
        return {**head, "kind": "failed", "reason": result}
    if isinstance(result, Matrix | ScoreTable):
        return {**head, "kind": "matrix" if isinstance(result, Matrix) else "table", **asdict(result)}
    cards = []
    for number, card in enumerate(result.cards):
        pictures = []
        for which, picture in enumerate(card.pictures):
            path = folder / PICTURES / f"{place}-{number}-{which}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture.png)
            pictures.append({"file": path.name, "caption": picture.caption})
        cards.append({"lines": card.lines, "pictures": pictures})
    return {**head, "kind": "gallery", "cards": cards, "note": result.note}


def read_entry(entry: Any, folder: Path) -> DiagnosticResult:
    """What an entry of a run's ``exhibits.json`` shows, or why it is not shown."""
    path = folder / FILE
    try:
        name, title = _text(entry["name"], "name"), _text(entry["title"], "title")
        tasks = _each(entry["tasks"], "tasks", _text)
    except (TypeError, KeyError, ValueError) as error:
        return DiagnosticResult("damaged", "Damaged entry", (), f"an entry of {path} is damaged ({_line(error)})")
    try:
        return DiagnosticResult(name, title, tasks, _result(entry, folder))
    except (TypeError, KeyError, ValueError, OSError) as error:
        return DiagnosticResult(name, title, tasks, f"its entry in {path} is damaged ({_line(error)})")


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
        return ScoreTable(columns, rows, note)
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
        png = file_within(folder, f"{PICTURES}/{name}").read_bytes()
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
