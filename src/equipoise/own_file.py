"""A Python file of the user's: running it, and saying in one line what is wrong with it."""

import hashlib
import importlib.util
import sys
import traceback
from pathlib import Path
from types import ModuleType


def run_file(path: str) -> ModuleType:
    """The module that a file makes; it runs at every call.

    Raises:
        ValueError: If it is no Python module. What its own code raises goes through.
    """
    spec = importlib.util.spec_from_file_location(f"equipoise_file_{Path(path).stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError(f"file {path!r} is no Python module")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where pickle and dataclasses look for it
    spec.loader.exec_module(module)
    return module


def line_in(error: Exception, path: str) -> int | None:
    """The last line of a file that an error went through; None where it did not."""
    file = Path(path).resolve()
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if Path(frame.filename).resolve() == file), None)


def error_line(error: Exception, path: str) -> str:
    """An error with its type, and the line of the file that it went through, if it did."""
    line = line_in(error, path)
    return " ".join(f"{type(error).__name__}: {error}".split()) + ("" if line is None else f" (line {line})")


def content_hash(path: str) -> str:
    """SHA-256 of a file, in hexadecimal."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
