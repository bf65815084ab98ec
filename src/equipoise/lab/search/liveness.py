"""Which workers of a search are alive: each holds a lock on a file of its own, which the system releases at its end."""

import os
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FOLDER = "drivers"  # the name that earlier versions gave it


@contextmanager
def alive(folder: Path) -> Iterator[str]:
    """Context with the name of a new worker, which counts as alive until the context or the process ends.

    Its file stays, unlocked.

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
        _try_lock(file.fileno())
        yield name


def has_ended(folder: Path, name: str) -> bool | None:
    """Whether a worker has ended; None where its file is not in this folder, so that it cannot be told."""
    try:
        with (folder / FOLDER / name).open("rb+") as file:
            return _try_lock(file.fileno())
    except FileNotFoundError:
        return None


def _try_lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; False if another process holds the lock. No lock on Windows, and True."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
