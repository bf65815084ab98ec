"""A Python file of the user's: what it holds by name, and in one line what is wrong with it.

It may import the modules and packages beside it by name, as a script does; what is installed comes first.
"""

import ast
import hashlib
import importlib.util
import sys
import traceback
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from equipoise.names import nearest

_FOLDERS: list[Path] = []  # of the files that ran
_CONTENTS: dict[Path, bytes] = {}  # of the files beside them, when they ran


def from_file(path: str, name: str) -> Any:
    """What a file holds by this name; the file runs where its content, or that of a file beside it, is new.

    Raises:
        ValueError: If there is no such file or name, or the file fails.
    """
    require_file(path)
    try:
        module = _module(str(Path(path).resolve()), content_hash(path))
    except Exception as error:  # whatever a user's file does
        raise ValueError(f"{path}: {error_line(error, path)}") from error
    if not hasattr(module, name):
        own = [one for one, value in vars(module).items() if not one.startswith("_") and type(value) is not ModuleType]
        raise ValueError(f"{path} has no {name!r}; {nearest(name, own)}")
    return getattr(module, name)


def require_file(path: str) -> None:
    """Raise a ValueError where there is no file of this path."""
    if path.startswith(("http:/", "https:/", "s3:/", "hf:/")):
        raise ValueError(f"{path!r} is an address, not a file: download it first")
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path!r} (looked in {Path(path).resolve().parent})")


@cache
def _module(path: str, content: str) -> ModuleType:
    """A file with this content, run once."""
    return run_file(path)


def run_file(path: str) -> ModuleType:
    """The module that a file makes; it runs at every call, and so does what has changed beside it.

    Its folder stays on ``sys.path``, since a function may import when it is called.

    Raises:
        ValueError: If it is no Python module, or imports a neighbour whose name another folder's has taken. What its
            own code raises goes through.
    """
    spec = importlib.util.spec_from_file_location(f"equipoise_file_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"file {path!r} is no Python module")
    beside, folder = _neighbours(path), Path(path).resolve().parent
    if folder not in _FOLDERS:
        _FOLDERS.append(folder)
        sys.path.append(str(folder))
    importlib.invalidate_caches()
    contents = {file: file.read_bytes() for files in beside.values() for file in files}
    if any(_CONTENTS.get(file, content) != content for file, content in contents.items()):
        for name in [name for name in sys.modules if name.partition(".")[0] in beside]:
            del sys.modules[name]
    _CONTENTS.update(contents)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pickle and dataclasses look for it
    spec.loader.exec_module(module)
    return module


def line_in(error: Exception, path: str) -> int | None:
    """The last line of a file that an error went through; None where it did not."""
    file = Path(path).resolve()
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if Path(frame.filename).resolve() == file), None)


def error_line(error: Exception, path: str | None = None) -> str:
    """An error with its type in one line, and the line of a file that it went through, if it did."""
    line = None if path is None else line_in(error, path)
    return " ".join(f"{type(error).__name__}: {error}".split()) + ("" if line is None else f" (line {line})")


def content_hash(path: str) -> str:
    """SHA-256 of a file and of those beside it that it imports, in hexadecimal."""
    digest = hashlib.sha256(Path(path).read_bytes())
    folder = Path(path).resolve().parent
    for file in sorted(file for files in _neighbours(path).values() for file in files):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


def _neighbours(path: str) -> dict[str, list[Path]]:
    """The modules and whole packages beside a file that it imports, or these import, by name; nothing runs."""
    folder = Path(path).resolve().parent
    found: dict[str, list[Path]] = {}
    unread = [Path(path)]
    while unread:
        for name in _imports(unread.pop()) - found.keys():
            package, module = folder / name, folder / f"{name}.py"
            files = sorted(package.rglob("*.py")) if (package / "__init__.py").is_file() else [module]
            if files[0].is_file() and _is_meant(name, files, path):
                found[name] = files
                unread += files
    return found


def _imports(file: Path) -> set[str]:
    """The first parts of all names that a file imports, its relative imports left out."""
    nodes = list(ast.walk(ast.parse(file.read_bytes(), str(file))))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    inside = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module and not node.level}
    return {name.partition(".")[0] for name in plain | inside}


def _is_meant(name: str, files: list[Path], path: str) -> bool:
    """Whether an import of the name gives one of the files, and not something installed.

    Raises:
        ValueError: If it gives the neighbour of another file of the user's.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or (origin := Path(spec.origin).resolve()) in files:
        return True
    if any(folder in origin.parents for folder in _FOLDERS):
        raise ValueError(f"file {path!r} imports {name!r}, which is {origin} already: rename one of the two")
    return False
