"""Where data lies that is too large, or not free, to come with the package."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

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
