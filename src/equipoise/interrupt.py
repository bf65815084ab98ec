"""Ctrl-C before the command line can catch it, while its modules are imported: one line and status 130.

The library itself, imported by anything else, leaves the interpreter's hook alone.
"""

import os
import sys
from pathlib import Path
from types import TracebackType

STOPPED = 130  # as a shell has it: 128 and the signal's number


def _is_command() -> bool:
    """Whether this process was started as ``equipoise`` or ``python -m equipoise``."""
    first = sys.argv[0] if sys.argv else ""
    return "equipoise" in sys.orig_argv if first == "-m" else Path(first).stem == "equipoise"


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    print("Stopped.", file=sys.stderr, flush=True)
    os._exit(STOPPED)  # the interpreter would end by the signal


if _is_command():
    sys.excepthook = _one_line
