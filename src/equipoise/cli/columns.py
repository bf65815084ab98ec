"""Options for the columns of a table, and the recipe of the case that a command works on."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from equipoise.cli.parser import Listed, Parser, fail, positive
from equipoise.cli.workbench import need_the_lab
from equipoise.lab.data.columns import (
    ALL_BUT,
    INPUT_OPTIONS,
    Target,
    expand_inputs,
    expand_targets,
    join_columns,
    split_columns,
)
from equipoise.lab.data.table import ENDINGS, is_table, read_header, require_case_name, require_table
from equipoise.own_file import require_file

OPTIONS = (
    "target",
    *INPUT_OPTIONS,
    "vectors",
    "image_size",
    "seconds",
    "drop_unusable",
    "group",
    "delimiter",
    "missing",
)


def add_column_options(parser: Parser) -> None:
    """What to predict, from what, and how rows and cells belong together."""
    group = parser.add_argument_group(
        "the columns of a table",
        "A name may mean many columns: fp* (any letters), x? (any letter), all-but:id,name; of inputs, those that are "
        "no target and have no other place.",
    )
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
        ("--smiles", "columns of molecules, as SMILES,"),
        ("--image", "columns of paths to pictures, from the table's folder on,"),
        ("--audio", "columns of paths to sounds (.wav, .flac, .ogg, .mp3), likewise,"),
    ):
        group.add_argument(
            option, type=Listed(_columns, split_columns), action="extend", metavar="A,B,…", help=f"{what} as inputs"
        )
    group.add_argument(
        "--vectors",
        type=Listed(_columns, split_columns),
        action="extend",
        metavar="FILE,…",
        help=".npy files as inputs, each an array [rows, D] in the table's order",
    )
    group.add_argument(
        "--image-size", type=positive, metavar="N", help="pixels of the sides to which pictures are scaled; default 64"
    )
    group.add_argument(
        "--seconds",
        type=_seconds,
        metavar="S",
        help="of each sound from its beginning; default those of the longest training row, at most 5",
    )
    group.add_argument(
        "--drop-unusable",
        action="store_true",
        help="leave out targets with too few labels, or always the same, and print which and why",
    )
    group.add_argument("--group", metavar="COLUMN", help="column whose equal cells keep rows in one split")
    add_reading(group)


def add_reading(parser: Any) -> None:
    """How cells are read."""
    add_delimiter(parser)
    parser.add_argument(
        "--missing",
        type=Listed(tuple),
        default=(),
        metavar="A,B,…",
        help="cells that mean an empty one, such as NA,?; with '' among them ('NA,', or '' alone) no others do",
    )


def add_delimiter(parser: Any) -> None:
    """What stands between cells."""
    parser.add_argument(
        "--delimiter", type=_delimiter, metavar="MARK", help="delimiter of cells; default a comma, in .tsv a tab"
    )


def recipe_of(arguments: argparse.Namespace) -> Any:
    """The recipe of the case that the arguments mean."""
    need_the_lab()
    case = _case_of(arguments)
    from equipoise.lab.cases.recipe import CaseWithLosses, CaseWithModel, find_recipe

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
    path = Path(arguments.case)
    given = [f"--{option.replace('_', '-')}" for option in OPTIONS if getattr(arguments, option)]
    if not is_table(arguments.case):
        if given:
            fail(f"{', '.join(given)}: only a table ({', '.join(ENDINGS)}) has columns, and {arguments.case!r} is none")
        try:
            require_case_name(arguments.case)
            if (file := arguments.case.rpartition(":")[0]).endswith(".py"):
                require_file(file)
        except ValueError as error:
            fail(str(error))
        return arguments.case
    try:
        require_table(path)
    except ValueError as error:
        fail(str(error))
    if not arguments.target:
        fail(
            f"nothing to predict: name columns of {arguments.case}, such as --target rating:regression; "
            f"equipoise init {arguments.case} looks at them"
        )
    try:
        header = read_header(path, arguments.delimiter)
        targets = expand_targets(map(Target.parse, arguments.target), header, path.name)
        others = [*(target.column for target in targets), *([arguments.group] if arguments.group else [])]
        named = {kind: getattr(arguments, kind) or () for kind in INPUT_OPTIONS}
        inputs: dict[str, Any] = expand_inputs(named, header, path.name, others)
        from equipoise.lab.cases import TableCase  # and torch, which wrong names do not wait for

        case = TableCase(
            arguments.case,
            targets,
            **inputs,
            vectors=tuple(arguments.vectors or ()),
            image_size=arguments.image_size or TableCase.image_size,
            seconds=arguments.seconds,
            group=arguments.group,
            delimiter=arguments.delimiter,
            missing=arguments.missing,
        )
        if arguments.drop_unusable:
            case, useless = case.usable()
            for column, why in useless.items():
                print(f"Target {column!r} is left out: {why}")
        return case
    except ValueError as error:
        fail(str(error))


def _columns(given: Sequence[str]) -> Sequence[str]:
    if not given or not all(given):
        raise argparse.ArgumentTypeError(f"names with commas between them, like title,text; got {','.join(given)!r}")
    return [join_columns(given)] if given[0].startswith(ALL_BUT) else given


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number, got {text!r}") from None


def _delimiter(text: str) -> str:
    mark = text.replace("\\t", "\t").replace("tab", "\t")
    if len(mark) != 1 or mark in '"\r\n':
        raise argparse.ArgumentTypeError(f"one character, or tab; got {text!r}")
    return mark
