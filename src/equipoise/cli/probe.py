"""``equipoise probe``."""

from collections.abc import Sequence
from pathlib import Path

from equipoise.cli.columns import add_column_options, recipe_of
from equipoise.cli.compare import study_parser
from equipoise.cli.config import add_case, parse_with_config
from equipoise.cli.parser import Parser, fail, positive, whole
from equipoise.cli.training import add_case_options


def probe(words: Sequence[str]) -> int:
    """Gradient diagnostics before training."""
    parser = Parser(
        prog="equipoise probe",
        description="Gradient diagnostics before training: the tasks' losses, gradient norms, conflict between tasks, "
        "layer by layer, cost per step of each kind of method, and a suggested starting point for weights. At "
        "initialisation and after some steps of the plain sum; validation and test are not read.",
    )
    add_case(parser, "what to look at, as for compare: a name, a table, or path/to/file.py:name")
    parser.add_argument(
        "--batches", type=positive, default=8, metavar="N", help="batches of the training split; default 8"
    )
    parser.add_argument(
        "--steps",
        type=whole,
        default=100,
        metavar="N",
        help="training steps before the second measurement; default 100; 0: none",
    )
    parser.add_argument(
        "--seed", type=whole, default=0, metavar="N", help="seed of initialisation and batches; default 0"
    )
    add_case_options(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the diagnostics as a page")
    add_column_options(parser)
    arguments = parse_with_config(parser, words, study_parser())
    recipe = recipe_of(arguments)
    from rich.console import Console

    from equipoise.lab.api.probing import probe as look_at

    page: Path | None = arguments.html
    if page is not None and not page.parent.is_dir():
        fail(f"there is no folder {page.parent}: make it, or choose another file by --html")
    if page is not None and page.is_dir():
        fail(f"{page} is a folder: choose a file by --html")
    console = Console(highlight=False)
    try:
        found = look_at(recipe, batches=arguments.batches, steps=arguments.steps, seed=arguments.seed)
    except ValueError as error:
        fail(str(error))
    console.print(found, crop=False)  # code stays whole lines
    if page is not None:
        console.print(f"Page: {found.save_report(page)}", markup=False, soft_wrap=True)
    return 0
