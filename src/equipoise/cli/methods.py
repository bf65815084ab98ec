"""``equipoise methods``."""

from collections.abc import Sequence

from equipoise.cli.lists import show_text, width
from equipoise.cli.parser import Parser, fail


def methods(words: Sequence[str]) -> int:
    """List the methods, or show one."""
    parser = Parser(
        prog="equipoise methods",
        description="List all methods; with a name, one in full: formula, needs, cost, paper, when to use it, and the "
        "line to paste.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one method, by any of its names: uw, GradNorm, pareto")
    parser.add_argument("--markdown", action="store_true", help="the list as the page docs/methods.md")
    arguments = parser.parse(words)
    from equipoise import listings

    if arguments.name is None:
        return show_text(listings.methods_page() if arguments.markdown else listings.methods(width()))
    if arguments.markdown:
        fail("a NAME shows one method: leave out --markdown")
    try:
        return show_text(listings.method(arguments.name, width()))
    except ValueError as error:
        fail(str(error))
