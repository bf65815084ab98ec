"""Paragraphs of a list in a terminal of some width."""

import textwrap


def indented(line: str, width: int) -> str:
    """A paragraph below an entry of a list."""
    return filled(line, width, indent="    ", hang="      ")


def filled(text: str, width: int, *, indent: str = "", hang: str = "") -> str:
    """A paragraph whose first line begins with ``indent`` and all others with ``hang``."""
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=hang, break_on_hyphens=False)
