"""``equipoise methods``."""

from collections.abc import Sequence

from equipoise import shelf
from equipoise.cli.lists import show_text, width
from equipoise.cli.parser import Parser


def methods(words: Sequence[str]) -> int:
    """List the balancings."""
    parser = Parser(prog="equipoise methods", description="List all balancings.")
    parser.add_argument("--markdown", action="store_true", help="the list as the page docs/methods.md")
    if parser.parse(words).markdown:
        return show_text(shelf.methods_page())
    return show_text(shelf.methods(width()))
