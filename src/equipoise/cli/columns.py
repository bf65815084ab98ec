"""Options for the columns of a table, and the recipe of the case that a command works on."""

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.cli.parser import Listed, Parser, fail
from equipoise.cli.workbench import need_the_lab

OPTIONS = ("target", "text", "number", "category", "group", "delimiter")


def add_column_options(parser: Parser) -> None:
    """What to predict, from what, and how rows and cells belong together."""
    group = parser.add_argument_group("the columns of a table")
    group.add_argument(
        "--target",
        action="append",
        metavar="COLUMN:KIND",
        help="column to predict and its kind, again for each: regression, binary, multiclass, ordinal (levels that are "
        "no numbers: COLUMN:ordinal:low,middle,high) or multilabel (cells like a;b)",
    )
    for option, what in (
        ("--text", "columns of text"),
        ("--number", "columns of numbers"),
        ("--category", "columns of names, such as colours,"),
    ):
        group.add_argument(
            option, type=Listed(_columns, split_columns), action="extend", metavar="A,B,…", help=f"{what} as inputs"
        )
    group.add_argument("--group", metavar="COLUMN", help="column whose equal cells keep rows in one split")
    add_delimiter(group)


def add_delimiter(parser: Any) -> None:
    """What stands between cells."""
    parser.add_argument(
        "--delimiter", type=_delimiter, metavar="MARK", help="delimiter of cells; default a comma, in .tsv a tab"
    )


def recipe_of(arguments: argparse.Namespace) -> Any:
    """The recipe of the case that the arguments mean."""
    need_the_lab()
    from equipoise.lab.cases.recipe import CaseWithLosses, CaseWithModel, find_recipe

    case = _case_of(arguments)
    if arguments.model is None and not arguments.loss:
        return case
    try:
        recipe = find_recipe(case) if isinstance(case, str) else case
        if arguments.model is not None:
            recipe = CaseWithModel(recipe, arguments.model)
        return CaseWithLosses(recipe, _losses(arguments.loss)) if arguments.loss else recipe
    except ValueError as error:
        fail(str(error))


def _losses(words: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(task, loss) of each ``TASK=LOSS``."""
    from equipoise.lab.arms import parse_losses
    from equipoise.lab.cases import LossChoice

    chosen: dict[str, str] = {}
    for word in words:
        task, _, loss = word.partition("=")
        is_file = task and LossChoice.parse(loss).path is not None and "+" not in word
        found = {task: loss} if is_file else dict(parse_losses(word))
        if not found:
            raise ValueError(
                f"--loss must be TASK=LOSS or TASK=LOSS:ARGUMENT=VALUE without spaces, such as mask=focal:gamma=1.5 or "
                f"mask=path/to/file.py:Name, again for each task, got {word!r}"
            )
        if twice := [task for task in found if task in chosen]:
            raise ValueError(f"--loss gives task {twice[0]!r} two losses: leave one out")
        chosen |= found
    return tuple(chosen.items())


def _case_of(arguments: argparse.Namespace) -> Any:
    from equipoise.lab.cases import TableCase, Target
    from equipoise.lab.data.table import ENDINGS, is_table, require_table

    given = [f"--{option}" for option in OPTIONS if getattr(arguments, option)]
    if not is_table(arguments.case):
        if given:
            fail(f"{', '.join(given)}: only a table ({', '.join(ENDINGS)}) has columns, and {arguments.case!r} is none")
        return arguments.case
    try:
        require_table(Path(arguments.case))
    except ValueError as error:
        fail(str(error))
    if not arguments.target:
        fail(
            f"nothing to predict: name columns of {arguments.case}, such as --target rating:regression; "
            f"equipoise init {arguments.case} looks at them"
        )
    try:
        return TableCase(
            arguments.case,
            tuple(Target.parse(text) for text in arguments.target),
            text=tuple(arguments.text or ()),
            number=tuple(arguments.number or ()),
            category=tuple(arguments.category or ()),
            group=arguments.group,
            delimiter=arguments.delimiter,
        )
    except ValueError as error:
        fail(str(error))


def split_columns(text: str) -> list[str]:
    """Names between commas; one that holds a comma stands in double quotes.

    >>> split_columns('title,"price, net"')
    ['title', 'price, net']
    """
    return [name.strip() for name in next(csv.reader([text], skipinitialspace=True), [])]


def _columns(given: Sequence[str]) -> Sequence[str]:
    if not given or not all(given):
        raise argparse.ArgumentTypeError(f"names with commas between them, like title,text; got {','.join(given)!r}")
    return given


def _delimiter(text: str) -> str:
    mark = text.replace("\\t", "\t").replace("tab", "\t")
    if len(mark) != 1 or mark in '"\r\n':
        raise argparse.ArgumentTypeError(f"one character, or tab; got {text!r}")
    return mark
