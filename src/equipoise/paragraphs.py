"""Paragraphs of a list, and tables, in a terminal or on a page of some width."""

import re
import textwrap
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"-?[\d.,e+-]*( [kMG]?B| %)?|nan|-?inf")


def indented(line: str, width: int) -> str:
    """A paragraph below an entry of a list."""
    return filled(line, width, indent="    ", hang="      ")


def filled(text: str, width: int, *, indent: str = "", hang: str = "") -> str:
    """A paragraph whose first line begins with ``indent`` and all others with ``hang``."""
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=hang, break_on_hyphens=False)


def numbered(paragraphs: Iterable[str], width: int) -> list[str]:
    """The lines of paragraphs that begin with 1., 2., ..."""
    lines: list[str] = []
    for i, paragraph in enumerate(paragraphs, 1):
        start = f"{i}. "
        lines += textwrap.wrap(paragraph, width, initial_indent=start, subsequent_indent=" " * len(start))
    return lines


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Columns as wide as their longest cell; numbers to the right, words to the left."""
    if not rows:
        return []
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    right = [all(_NUMBER.fullmatch(row[i]) for row in rows) for i in range(len(head))]
    return [
        "  ".join(f"{c:>{w}}" if r else f"{c:<{w}}" for c, w, r in zip(row, widths, right, strict=True)).rstrip()
        for row in [head, *rows]
    ]
