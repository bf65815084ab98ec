"""Paragraphs of a list in a terminal or on a page of some width."""

import textwrap
from collections.abc import Iterable


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
