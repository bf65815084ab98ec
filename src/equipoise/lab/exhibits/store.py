"""Exhibits in the folder of a run: ``exhibits.json``, and its pictures beside it in ``exhibits/``."""

import json
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from equipoise.lab.exhibits.exhibit import Exhibit, Seen
from equipoise.lab.exhibits.result import Card, Gallery, Matrix, Picture, Result, Table

KINDS: dict[str, type[Matrix] | type[Table]] = {"matrix": Matrix, "table": Table}


@dataclass(frozen=True)
class Shown:
    """An exhibit of a run, as it was made: its result, or in one line why there is none."""

    name: str
    title: str
    tasks: tuple[str, ...]
    result: Result | str


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
        (folder / "exhibits.json").write_text(json.dumps(entries, indent=1), encoding="utf-8")


def read_exhibits(folder: Path) -> tuple[Shown, ...]:
    """What ``write_exhibits`` wrote into a run's folder; nothing where it wrote nothing."""
    path = folder / "exhibits.json"
    if not path.is_file():
        return ()
    entries = json.loads(path.read_text(encoding="utf-8"))
    return tuple(Shown(e["name"], e["title"], tuple(e["tasks"]), _result(e, folder)) for e in entries)


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


def _result(entry: dict[str, Any], folder: Path) -> Result | str:
    kind = entry["kind"]
    if kind == "failed":
        return str(entry["reason"])
    fields = {key: _tuples(value) for key, value in entry.items() if key not in ("name", "title", "tasks", "kind")}
    if kind in KINDS:
        return KINDS[kind](**fields)
    cards = []
    for card in entry["cards"]:
        pictures = [
            Picture((folder / "exhibits" / one["file"]).read_bytes(), one["caption"]) for one in card["pictures"]
        ]
        cards.append(Card(tuple(card["lines"]), tuple(pictures)))
    return Gallery(tuple(cards), entry["note"])


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
