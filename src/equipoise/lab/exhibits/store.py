"""Exhibits in the folder of a run: ``exhibits.json``, and its pictures beside it in ``exhibits/``."""

import hashlib
import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from equipoise.lab.data.within import file_within
from equipoise.lab.exhibits.entry import FILE, read_entry
from equipoise.lab.exhibits.exhibit import Exhibit, Seen
from equipoise.lab.exhibits.result import Matrix, Result, Shown, Table


def write_exhibits(folder: Path, exhibits: Sequence[Exhibit], seen: Seen) -> None:
    """Make and write all exhibits whose tasks the network has; one that fails is warned of, and costs itself alone.

    Raises:
        ValueError: If two exhibits have one name.
    """
    names = [exhibit.name for exhibit in exhibits]
    if twice := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"exhibits of a case must have different names, got {sorted(twice)} more than once")
    made = [_make(exhibit, seen) for exhibit in exhibits if set(exhibit.tasks) <= set(seen.tasks.names)]
    if made:
        entries = [_entry(shown, place, folder) for place, shown in enumerate(made)]
        (folder / FILE).write_text(json.dumps(entries, indent=1), encoding="utf-8")


def exhibits_hash(folder: Path) -> str:
    """SHA-256 of what ``write_exhibits`` wrote into a run's folder, pictures included; empty where it wrote nothing."""
    if not (folder / FILE).is_file():
        return ""
    parts = [folder / FILE, *sorted((folder / "exhibits").glob("*.png"))]
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in parts)).hexdigest()


def read_exhibits(folder: Path) -> tuple[Shown, ...]:
    """What ``write_exhibits`` wrote into a run's folder; nothing where it wrote nothing.

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


def _make(exhibit: Exhibit, seen: Seen) -> Shown:
    try:
        result: Result | str = exhibit.show(seen)
    except Exception as error:  # a user's own code may raise anything, and the run has been paid for
        result = f"it failed with {' '.join(f'{type(error).__name__}: {error}'.split())}"
        warnings.warn(f"exhibit {exhibit.name!r} is not shown, {result}; the run itself is kept", stacklevel=2)
    return Shown(exhibit.name, exhibit.title, exhibit.tasks, result)


def _entry(shown: Shown, place: int, folder: Path) -> dict[str, Any]:
    head = {"name": shown.name, "title": shown.title, "tasks": shown.tasks}
    result = shown.result
    if isinstance(result, str):
        return {**head, "kind": "failed", "reason": result}
    if isinstance(result, Matrix | Table):
        return {**head, "kind": type(result).__name__.lower(), **asdict(result)}
    cards = []
    for number, card in enumerate(result.cards):
        pictures = []
        for which, picture in enumerate(card.pictures):
            path = folder / "exhibits" / f"{place}-{number}-{which}.png"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(picture.png)
            pictures.append({"file": path.name, "caption": picture.caption})
        cards.append({"lines": card.lines, "pictures": pictures})
    return {**head, "kind": "gallery", "cards": cards, "note": result.note}
