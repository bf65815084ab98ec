"""What rich shows, as plain text."""

import io

from rich.console import Console, RenderableType

WIDTH = 120  # characters


def text_of(shown: RenderableType) -> str:
    """The lines as a terminal of ``WIDTH`` characters has them, without styles."""
    file = io.StringIO()
    Console(file=file, width=WIDTH, highlight=False).print(shown, crop=False)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines())
