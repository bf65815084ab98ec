"""Printing a list."""

import io
import os
import shutil
import sys


def width() -> int:
    """The terminal's width, as far as lines of prose are read well."""
    return min(shutil.get_terminal_size().columns, 100)


def show_text(text: str) -> int:
    """Print a list, also where the terminal has no Greek letters, or is a pager that is closed early."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        print(text, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter flushes once more
    return 0
