"""Results that can be computed anew, kept on the disk."""

import glob
import hashlib
import io
import os
import tempfile
from contextlib import suppress
from pathlib import Path

import numpy as np


def cache_folder() -> Path:
    """Where they are kept: ``XDG_CACHE_HOME`` or ``~/.cache``, in ``equipoise``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "equipoise"


def kept(path: Path) -> np.ndarray | None:
    """What ``keep`` wrote; None where it is not there, or not as it was written, and has to be computed anew."""
    if not path.is_file():
        return None
    content = path.read_bytes()
    seal = hashlib.sha256().digest_size
    if hashlib.sha256(content[:-seal]).digest() != content[-seal:]:
        return None
    result: np.ndarray = np.load(io.BytesIO(content))
    return result


def keep(result: np.ndarray, path: Path) -> None:
    """Write a file whole or not at all; a folder that cannot be written only costs the next computation."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
            content = io.BytesIO()
            np.save(content, result)
            file.write(content.getvalue() + hashlib.sha256(content.getvalue()).digest())
        Path(file.name).replace(path)
    with suppress(OSError):
        # of writers that died; one that is still at work on the same result loses a copy that nobody needs
        for part in path.parent.glob(f"{glob.escape(path.name)}*.part"):
            part.unlink(missing_ok=True)
