"""``equipoise report``."""

from collections.abc import Sequence
from pathlib import Path

from equipoise.cli.parser import Parser, fail, nearest
from equipoise.cli.workbench import RUNS, need_the_lab, show


def report(words: Sequence[str]) -> int:
    """Show the table of a study again and write its report anew."""
    parser = Parser(prog="equipoise report", description="Show a study's table again and write its report anew.")
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the folder of a study")
    folder = parser.parse(words).folder
    if not (folder / "study.json").is_file():
        studies = [str(path.parent) for root in (RUNS, folder.parent) for path in root.glob("*/study.json")]
        hint = f"; the nearest is {nearest(str(folder), studies)!r}" if studies else "; equipoise demo makes one"
        fail(f"{str(folder)!r} is not the folder of a study{hint}")
    need_the_lab()
    from rich.console import Console

    try:
        return show(Console(highlight=False), folder, renew=True)
    except (ValueError, KeyError, OSError) as error:
        fail(f"{folder} cannot be shown: {error}")
