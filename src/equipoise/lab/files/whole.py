"""Files that are there whole or not at all."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO


class Sink:
    """Takes what is written to a file, and remembers the error that a library may hide."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Hand it on."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def replace_file(path: Path, write: Callable[[Any], Any]) -> None:
    """Let ``write`` fill a new file, then put it in the place of ``path`` in one move; a link there is not followed.

    Raises:
        OSError: It cannot be written, with the name of the file; what was there stays.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        if unfinished.is_symlink():
            unfinished.unlink()
        with open(unfinished, "wb", opener=_open_itself) as file:
            sink = Sink(file)
            try:
                write(sink)
            except RuntimeError as error:  # torch's, in which the cause is lost
                raise (sink.error or error) from None
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: Path, text: str) -> None:
    """Put a text in the place of ``path``, in UTF-8, whole or not at all."""
    replace_file(path, lambda file: file.write(text.encode("utf-8")))


def _open_itself(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
