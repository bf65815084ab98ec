"""``equipoise report``."""

from collections.abc import Sequence
from pathlib import Path

from equipoise.cli.parser import Parser, fail
from equipoise.cli.workbench import need_the_lab, show
from equipoise.lab.settings import RUNS
from equipoise.names import nearest


def report(words: Sequence[str]) -> int:
    """Show the table of a study again and write its report anew, or compare two studies on one page."""
    parser = Parser(
        prog="equipoise report",
        description="Show a study's table again and write its report anew; with two studies, write one page that "
        "compares what each method reaches in the second with what it reaches in the first.",
    )
    parser.add_argument("folder", metavar="FOLDER", type=Path, help="the folder of a study")
    parser.add_argument("other", metavar="OTHER", nargs="?", type=Path, help="the folder of another study")
    parser.add_argument(
        "--out", metavar="FILE", type=Path, help="file of the comparison; default OTHER/against-FOLDER.html"
    )
    parser.add_verbose()
    arguments = parser.parse(words)
    if arguments.out is not None and arguments.other is None:
        parser.error("--out is the page of a comparison: name two folders")
    for folder in filter(None, (arguments.folder, arguments.other)):
        _require_study(folder)
    need_the_lab()
    if arguments.other is not None:
        return _compare(arguments.folder, arguments.other, arguments.out)
    from rich.console import Console

    from equipoise.lab.evaluation import StudyResults

    try:
        study = StudyResults.from_folder(arguments.folder).looked_at()
        return show(Console(highlight=False), study, renew=True, verbose=arguments.verbose)
    except (ValueError, KeyError) as error:
        fail(f"{arguments.folder} cannot be shown: {error}")
    except OSError as error:
        fail(f"{arguments.folder} cannot be shown: {error.filename or 'a file in it'}: {error.strerror or error}")


def _compare(first: Path, second: Path, out: Path | None) -> int:
    from equipoise.lab.evaluation import TwoStudies
    from equipoise.lab.reports import write_two_page

    page = out or second / f"against-{first.resolve().name}.html"
    try:
        two = TwoStudies.from_folders(first, second)
        write_two_page(two, page)
    except KeyError as error:
        fail(f"the study.json of {first} or {second} has no {error}")
    except (ValueError, OSError) as error:
        fail(str(error))
    unequal = [f"Unequal: {'; '.join(two.unequal)}."] if two.unequal else []
    print("\n".join([two.headline, *unequal, *two.notes, f"Report: {page}"]))
    return 0


def _require_study(folder: Path) -> None:
    if (folder / "search.json").is_file():
        fail(f"{str(folder)!r} is the folder of a search, whose page is {folder / 'report.html'}")
    if not (folder / "study.json").is_file():
        studies = [str(path.parent) for root in (RUNS, folder.parent) for path in root.glob("*/study.json")]
        hint = f"; {nearest(str(folder), studies)}" if studies else "; equipoise demo makes one"
        fail(f"{str(folder)!r} is not the folder of a study{hint}")
