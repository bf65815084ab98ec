"""Files that carry a checksum of their own: JSON in a field, others in their last bytes."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch

from equipoise.lab.files.damage import DamagedError
from equipoise.lab.files.whole import Sink, replace_file

SEAL = "sha256"
_LENGTH = hashlib.sha256().digest_size
_CHUNK = 2**20


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object with its checksum, whole or not at all, and not if it is there with the same content."""
    plain = json.loads(json.dumps(content))
    text = json.dumps({**plain, SEAL: _seal(plain)}, indent=1, ensure_ascii=False) + "\n"
    encoded = text.encode("utf-8")
    if not path.is_file() or path.read_bytes() != encoded:  # what is as it was is not newer than its report
        replace_file(path, lambda file: file.write(encoded))


def read_json(path: Path, *delete: Path, sealed: bool = True) -> dict[str, Any]:
    """The object that ``write_json`` wrote, without its checksum.

    Args:
        path: The file.
        delete: What to delete if it is damaged; the file itself if nothing is given.
        sealed: Whether it must carry a checksum; one that is there must fit in any case.

    Raises:
        DamagedError: It is no JSON, no object, or not as it was written.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(path, f"is damaged ({' '.join(str(error).split())[:100]})", *delete) from None
    if not isinstance(content, dict):
        raise DamagedError(path, f"is damaged (it holds no object but {str(content)[:20]!r})", *delete)
    seal = content.pop(SEAL, None)
    if seal is None and sealed:
        raise DamagedError(path, "carries no checksum, so it is damaged, edited or of an older version", *delete)
    if seal is not None and seal != _seal(content):
        raise DamagedError(path, "is not as it was written (its checksum does not fit)", *delete)
    return content


def save_sealed(path: Path, state: Any) -> None:
    """Write what ``torch.load`` reads, and after it its checksum."""

    def write(file: Sink) -> None:
        digest = hashlib.sha256()
        torch.save(state, _Hashed(file, digest.update))  # type: ignore[arg-type]  # it only writes and flushes
        file.write(digest.digest())

    replace_file(path, write)


def load_sealed(path: Path) -> Any:
    """What ``save_sealed`` wrote, on the CPU.

    Raises:
        DamagedError: It is not as it was written.
    """
    digest, left = hashlib.sha256(), path.stat().st_size - _LENGTH
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
        seal = file.read()
    if seal != digest.digest():
        raise DamagedError(path, "is damaged (its checksum does not fit)")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise DamagedError(path, f"cannot be loaded ({' '.join(str(error).split())[:100]})") from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Hashed:
    """Hands on what is written, and to a hash."""

    def __init__(self, file: Sink, update: Callable[[Any], None]) -> None:
        self._file, self._update = file, update

    def write(self, data: Any) -> int:
        self._update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _seal(content: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
