"""The files of a study's folder as text that is safe to print: the folder may be somebody else's."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from equipoise.lab.data.within import file_within

# a terminal obeys these; a tab and the ends of lines are text
_CONTROL = dict.fromkeys((*range(9), 11, 12, *range(14, 32), *range(127, 160)), "\N{REPLACEMENT CHARACTER}")


def read_study(folder: Path) -> dict[str, Any]:
    """The content of study.json.

    Raises:
        ValueError: It is missing, or a link that leads out of the folder.
    """
    description: dict[str, Any] = _printable(json.loads(_text(folder, "study.json")))
    return description


def read_rows(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of a CSV file of the folder.

    Raises:
        ValueError: It is missing, or a link that leads out of the folder.
    """
    return list(csv.DictReader(io.StringIO(_text(folder, name), newline="")))


def _text(folder: Path, name: str) -> str:
    try:
        with file_within(folder, name).open(newline="", encoding="utf-8") as file:
            return file.read().translate(_CONTROL)
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(f"{folder} is not the folder of a study: it has no {name}") from None


def _printable(value: Any) -> Any:
    if isinstance(value, str):
        return value.translate(_CONTROL)
    if isinstance(value, list):
        return [_printable(one) for one in value]
    if isinstance(value, dict):
        return {_printable(key): _printable(one) for key, one in value.items()}
    return value
