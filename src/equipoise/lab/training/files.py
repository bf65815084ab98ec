"""Files that are there whole or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO


def replace_file(path: Path, write: Callable[[BinaryIO], Any]) -> None:
    """Let ``write`` fill a new file, then put it in the place of ``path`` in one move; links there are replaced."""
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with unfinished.open("xb") as file:  # x: a link that somebody put there is not followed
        write(file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def write_text(path: Path, text: str) -> None:
    """Put a text in the place of ``path``, in UTF-8, whole or not at all."""
    replace_file(path, lambda file: file.write(text.encode("utf-8")))
