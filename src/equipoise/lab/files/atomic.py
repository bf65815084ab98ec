"""Files of a folder: written atomically, with checksums, and not outside it; what is wrong with one, in a line."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from errno import EACCES, EDEADLK
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, BinaryIO

import torch

CHECKSUM = "sha256"  # the key in a JSON file
_DIGEST_BYTES = hashlib.sha256().digest_size
_CHUNK = 2**20  # bytes


class DamagedError(ValueError):
    """A file that is not as it was written.

    Args:
        path: The file.
        what: What is wrong with it.
        delete: What to delete so that it is made anew; the file itself if nothing is given.
    """

    def __init__(self, path: Path, what: str, *delete: Path) -> None:
        which = " and ".join(map(str, delete)) if delete else "it"
        super().__init__(f"{path} {what}: delete {which}; the command that made the folder makes it anew")
        self.delete = delete or (path,)


def is_transient(error: BaseException | None) -> bool:
    """Whether an error, or a cause of it, is a lack of disk or memory or a damaged file, so that a retry may succeed.

    >>> is_transient(OSError(28, "No space left on device")), is_transient(ValueError("alpha must be positive"))
    (True, False)
    """
    while error is not None:
        out_of_memory = isinstance(error, RuntimeError) and "allocate memory" in str(error)  # torch's, on the CPU
        if out_of_memory or isinstance(error, OSError | MemoryError | DamagedError | torch.OutOfMemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


class Sink:
    """A file that remembers an error of writing, which ``torch.save`` turns into another."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        """Write to the file."""
        try:
            return self._file.write(data)
        except OSError as error:
            self.error = error
            raise

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def replace_file(path: Path, write: Callable[[Any], Any]) -> None:
    """Write a file atomically: ``write`` fills a new one, which then replaces ``path``; a link there is not followed.

    Raises:
        OSError: It cannot be written; its ``filename`` is ``path``, and what was there stays.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    try:
        if unfinished.is_symlink():
            unfinished.unlink()
        with open(unfinished, "wb", opener=_open_no_link) as file:
            sink = Sink(file)
            try:
                write(sink)
            except RuntimeError as error:  # torch's
                raise (sink.error or error) from None
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise OSError(error.errno, error.strerror, str(path)) from error


def write_text(path: Path, text: str) -> None:
    """Write a text atomically, in UTF-8."""
    replace_file(path, lambda file: file.write(text.encode("utf-8")))


def write_if_changed(path: Path, content: bytes) -> None:
    """Write a file atomically, but not if it has this content already: its date tells whether a report is older."""
    if not path.is_file() or path.read_bytes() != content:
        replace_file(path, lambda file: file.write(content))


def _open_no_link(path: str, flags: int) -> int:
    """Open a file, an error if it is a link."""
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)


def make_folder(folder: Path) -> None:
    """Make a folder that a user chose, if it is not there.

    Raises:
        ValueError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"{folder} cannot be made ({error.strerror}): choose another folder") from None


def open_lock_file(path: Path) -> BinaryIO:
    """A file in a user's folder, opened for ``try_lock``.

    Raises:
        ValueError: It cannot be written.
    """
    try:
        return path.open("wb")
    except OSError as error:
        raise ValueError(f"{path.parent} cannot be written ({error.strerror}): choose another folder") from None


def try_lock(file: BinaryIO) -> bool:
    """Lock a file that was just opened until it is closed or this process ends; False if another has it."""
    try:
        import fcntl
    except ImportError:  # Windows
        return _try_lock_first_byte(file)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _try_lock_first_byte(file: BinaryIO) -> bool:
    """As ``try_lock`` on Windows, which locks bytes, also those beyond the end of a file."""
    msvcrt: Any = import_module("msvcrt")  # of which a type checker knows nothing on another system
    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError as error:
        if error.errno not in (EACCES, EDEADLK):
            raise
        return False
    return True


def file_within(folder: Path, name: str) -> Path:
    """``folder / name``, which need not exist.

    Raises:
        ValueError: It lies outside, by an absolute name, by ``..`` or by a link on the way.
    """
    path = folder / name
    top, place = Path(os.path.realpath(folder)), Path(os.path.realpath(path))
    if not place.is_relative_to(top):
        raise ValueError(f"{path} leads outside {folder}, to {place}: it is not read; put a copy in its place")
    return path


def folder_within(folder: Path, name: str) -> Path:
    """The folder ``folder / name`` itself, made if it is not there.

    Raises:
        ValueError: It is a link.
    """
    path = folder / name
    if path.is_symlink():
        raise ValueError(f"{path} is a link, and nothing is written through it: delete it")
    path.mkdir(exist_ok=True)
    return path


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write an object with its checksum by ``write_if_changed``."""
    plain = json.loads(json.dumps(content))
    text = json.dumps({**plain, CHECKSUM: _checksum(plain)}, indent=1, ensure_ascii=False) + "\n"
    write_if_changed(path, text.encode("utf-8"))


def read_json(path: Path, *delete: Path, checksum_required: bool = True) -> dict[str, Any]:
    """The object that ``write_json`` wrote, without its checksum.

    Args:
        path: The file.
        delete: What to delete if it is damaged; the file itself if nothing is given.
        checksum_required: Whether it must carry a checksum; one that is there must fit in any case.

    Raises:
        DamagedError: It is no JSON, no object, or not as it was written.
        OSError: It is missing or cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(path, f"is damaged ({' '.join(str(error).split())[:100]})", *delete) from None
    if not isinstance(content, dict):
        raise DamagedError(path, f"is damaged (it holds no object but {str(content)[:20]!r})", *delete)
    checksum = content.pop(CHECKSUM, None)
    if checksum is None and checksum_required:
        raise DamagedError(path, "carries no checksum, so it is damaged, edited or of an older version", *delete)
    if checksum is not None and checksum != _checksum(content):
        raise DamagedError(path, "is not as it was written (its checksum does not fit)", *delete)
    return content


def save_with_checksum(path: Path, state: Any) -> None:
    """``torch.save`` atomically, with the SHA-256 of the file behind it, which ``torch.load`` skips."""

    def write(file: Sink) -> None:
        digest = hashlib.sha256()
        torch.save(state, _Hashed(file, digest.update))  # type: ignore[arg-type]  # it only writes and flushes
        file.write(digest.digest())

    replace_file(path, write)


def load_with_checksum(path: Path) -> Any:
    """What ``save_with_checksum`` wrote, on the CPU.

    Raises:
        DamagedError: It is not as it was written.
        OSError: It is missing or cannot be read.
    """
    digest, left = hashlib.sha256(), path.stat().st_size - _DIGEST_BYTES
    with path.open("rb") as file:
        while left > 0 and (chunk := file.read(min(_CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
        written = file.read()
    if written != digest.digest():
        raise DamagedError(path, "is damaged (its checksum does not fit)")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, UnpicklingError) as error:
        raise DamagedError(path, f"cannot be loaded ({' '.join(str(error).split())[:100]})") from error


def file_hash(path: Path) -> str:
    """SHA-256 of a file in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class _Hashed:
    """A file that also gives what is written to a hash."""

    def __init__(self, file: Sink, update: Callable[[Any], None]) -> None:
        self._file, self._update = file, update

    def write(self, data: Any) -> int:
        self._update(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()


def _checksum(content: Mapping[str, Any]) -> str:
    """SHA-256 of an object, whatever the order of its keys, in hexadecimal."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Where two nested mappings differ, as ``settings.epochs is 8, now 3``; a key that is not there counts as None.

    >>> differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}})
    ['b.c is 2, now 3']
    """
    found = []
    for key in dict.fromkeys((*earlier, *now)):
        old, new = earlier.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [f"{key}.{line}" for line in differences(old, new)]
        elif old != new:
            found.append(f"{key} is {old}, now {new}")
    return found
