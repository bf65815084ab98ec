"""The one table of a page whose other words stay."""

import re
from collections.abc import Sequence
from pathlib import Path

_ROWS = re.compile(r"(?<=\|---\|\n)(?:\|.*\n)+")


def with_rows(page: Path, rows: Sequence[str]) -> str:
    """The text of a page with these rows below the head of its first table."""
    text = page.read_text(encoding="utf-8")
    old = _ROWS.search(text)
    assert old, page
    return "\n".join([text[: old.start()] + rows[0], *rows[1:], text[old.end() :]])
