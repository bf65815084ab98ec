"""Who is at work: each worker, a process of a search, holds a locked file, so that others see when and how it ends."""

import os
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "drivers"  # as earlier versions have it


@contextmanager
def at_work(folder: Path) -> Iterator[str]:
    """The name of a new worker, known to be at work until the context or the process ends; its file stays.

    Raises:
        ValueError: If the folder cannot be written.
    """
    name = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    path = folder / FOLDER / name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("wb")
    except OSError as error:
        raise ValueError(f"{folder} cannot be written ({error.strerror}): choose another folder") from None
    with file:
        _lock(file.fileno())
        yield name


def ended(folder: Path, name: str) -> bool | None:
    """Whether a worker is gone; None where this folder does not know it, since it has another one."""
    try:
        with (folder / FOLDER / name).open("rb+") as file:
            return _lock(file.fileno())
    except FileNotFoundError:
        return None


def _lock(number: int) -> bool:
    """Lock an open file until it is closed; False where somebody else holds it (never on Windows)."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
