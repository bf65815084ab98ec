"""Printing a list."""

import os
import shutil
import sys
from errno import EINVAL, EPIPE


def width() -> int:
    """The terminal's width, as far as lines of prose are read well."""
    return min(shutil.get_terminal_size().columns, 100)


def show_text(text: str) -> int:
    """Print a list, also into a pager that is closed early."""
    try:
        print(text, flush=True)
    except OSError as error:
        if error.errno not in (EPIPE, EINVAL):  # the latter is what Windows calls it
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter flushes once more
    return 0
