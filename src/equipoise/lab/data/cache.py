"""A cache on the disk of arrays that can be computed again."""

import glob
import hashlib
import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np


def cache_folder() -> Path:
    """The folder of the cache: ``XDG_CACHE_HOME`` or ``~/.cache``, in ``equipoise``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "equipoise"


def read_cached(path: Path) -> np.ndarray | None:
    """The array that ``write_cached`` wrote; None where the file is missing or damaged, so has to be computed again."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    checksum = hashlib.sha256().digest_size
    if hashlib.sha256(content[:-checksum]).digest() != content[-checksum:]:
        return None
    result: np.ndarray = np.load(io.BytesIO(content))
    return result


def write_cached(result: np.ndarray, path: Path) -> None:
    """Write an array with its checksum, whole or not at all; where the folder cannot be written, nothing."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
            content = io.BytesIO()
            np.save(content, result)
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())
        Path(file.name).replace(path)
    with suppress(OSError):
        # left by writers that died; one that still writes the same array loses a copy that nobody needs
        for part in path.parent.glob(f"{glob.escape(path.name)}*.part"):
            part.unlink(missing_ok=True)
