"""Folders outside the package: data sets that do not come with it, and a cache of arrays that can be computed again."""

import glob
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import IO

import numpy as np

VARIABLE = "EQUIPOISE_DATA"


def data_folder(name: str, source: str, folder: Path | None = None) -> Path:
    """The folder that holds a data set's files.

    Args:
        name: What the data set's folder is called.
        source: Where the files come from, for whoever lacks them.
        folder: The folder itself; by default the one of that name in the folder that ``EQUIPOISE_DATA`` names.

    Raises:
        ValueError: If it is not there.
    """
    if folder is None:
        root = os.environ.get(VARIABLE)
        if not root:
            raise ValueError(f"no data for {name!r}: set {VARIABLE} to the folder that holds {name}/; {source}")
        folder = Path(root) / name
    if not folder.is_dir():
        raise ValueError(f"no data for {name!r}: {folder} is not a folder; {source}")
    return folder


def data_hash(paths: Iterable[Path]) -> str:
    """SHA-256 of the files' contents, in hexadecimal, whatever their order and place.

    Raises:
        ValueError: If a file is not there.
    """
    digests = []
    for path in paths:
        if not path.is_file():
            raise ValueError(f"{path} is missing")
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()


def cache_folder() -> Path:
    """The folder of the cache: ``XDG_CACHE_HOME`` or ``~/.cache``, in ``equipoise``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "equipoise"


def cached(folder: Path, what: str, depends_on: Iterable[str], compute: Callable[[], np.ndarray]) -> np.ndarray:
    """What ``compute`` returns: read from the cache if it is there, else computed and written there if it can be.

    Args:
        folder: Of the cache.
        what: What the array is, for the file's name.
        depends_on: Texts that differ wherever the array does.
        compute: Makes the array.
    """
    key = hashlib.sha256("\n".join(depends_on).encode()).hexdigest()
    path = folder / f"{what}-{key[:32]}.npy"
    if (found := read_cached(path)) is not None:
        return found
    result = compute()
    write_cached(result, path)
    return result


def read_cached(path: Path) -> np.ndarray | None:
    """The array that ``write_cached`` wrote; None where the file is missing or damaged, so has to be computed again."""
    if not path.is_file():
        return None
    length = path.stat().st_size - hashlib.sha256().digest_size
    with path.open("rb") as file:
        if length < 0 or _checksum(file, length) != file.read():
            return None
        file.seek(0)
        result: np.ndarray = np.load(file)
    return result


def write_cached(result: np.ndarray, path: Path) -> None:
    """Write an array with its checksum, whole or not at all; where the folder cannot be written, nothing."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=path.name, suffix=".part", delete=False) as file:
            np.save(file, result)
            length = file.tell()
            file.seek(0)
            file.write(_checksum(file, length))
        Path(file.name).replace(path)
    with suppress(OSError):
        # left by writers that died; one that still writes the same array loses a copy that nobody needs
        for part in path.parent.glob(f"{glob.escape(path.name)}*.part"):
            part.unlink(missing_ok=True)


def _checksum(file: IO[bytes], length: int) -> bytes:
    """SHA-256 of so many bytes that follow in a file, block by block: an array may be half of the memory."""
    digest = hashlib.sha256()
    while length and (block := file.read(min(length, 2**20))):
        digest.update(block)
        length -= len(block)
    return digest.digest()
