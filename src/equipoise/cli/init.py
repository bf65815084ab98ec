"""``equipoise init``."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from equipoise.cli.columns import add_reading
from equipoise.cli.parser import Parser, fail
from equipoise.cli.workbench import need_the_lab
from equipoise.lab.data.columns import INPUT_OPTIONS
from equipoise.lab.settings import METHODS, TUNED_TRIALS

NOT_TEXT = ("y", "n", "yes", "no", "on", "off", "true", "false", "null")  # to YAML
EXTRAS = {"smiles": ("rdkit", "molecules"), "image": ("PIL", "pictures"), "audio": ("soundfile", "sound")}
MOST_PAIRS = 10_000  # of an input and a target that are looked at for leaks: seconds
OTHERS = """\
# The other options of equipoise compare, with their defaults; those on the command line win.
# methods: [{methods}]
# tuned-trials: {trials}  # fixed weights tried for the method tuned; 0 leaves it out
# seeds: 5  # how many, or which: [0, 3, 7]
# minutes: 5  # of methods and seeds that are not named, only what fits; all: everything; equipoise prints what it left
# epochs: COUNT  # at most; by default 2,500 steps, 30 to 200 epochs; a run stops after a third that validate no better
# schedule: cosine  # of the learning rate, or constant, linear, step; equipoise compare --help has all options
# loss: {{COLUMN: huber}}  # in place of a target's own; equipoise compare --question losses trains all that fit
# group: COLUMN  # rows with the same cell there stay in one split: patients, users, shops
"""


def init(words: Sequence[str]) -> int:
    """Write a study.yaml for a table."""
    parser = Parser(
        prog="equipoise init",
        description="Look at the columns of a table, guess what each is, and write a commented study.yaml with the "
        "guesses, their reasons and what looks like an id or a leak. Then: equipoise compare --config study.yaml",
    )
    parser.add_argument("data", metavar="DATA", help="the table: data.csv (.tsv, .gz, .parquet, .xlsx)")
    parser.add_argument(
        "--target",
        action="append",
        metavar="COLUMN[:KIND]",
        help="column to predict, again for each; the kind is guessed",
    )
    add_reading(parser)
    parser.add_argument(
        "--out", type=Path, default=Path("study.yaml"), metavar="FILE", help="file to write; default study.yaml"
    )
    arguments = parser.parse(words)
    need_the_lab()
    from equipoise.lab.data.table import read_table

    if arguments.out.exists():
        fail(f"{arguments.out} is there already: remove it, or choose another file by --out")
    try:
        table = read_table(Path(arguments.data), arguments.delimiter).emptied(arguments.missing)
        text = _study_file(arguments.data, table, arguments.target or [], arguments.delimiter, arguments.missing)
    except ValueError as error:
        fail(str(error))
    try:
        arguments.out.write_text(text, encoding="utf-8")
    except OSError as error:
        fail(f"{arguments.out} cannot be written ({error.strerror})")
    print(text)
    print(f"Written to {arguments.out}. Check it, then: equipoise compare --config {arguments.out}")
    print("equipoise probe and equipoise tune take the same --config.")
    return 0


def _study_file(path: str, table: Any, chosen: Sequence[str], delimiter: str | None, missing: Sequence[str]) -> str:
    """The text of the file.

    Raises:
        ValueError: If a target is no column, or nothing that can be predicted.
    """
    from equipoise.lab.data.columns import Target, expand_targets, matching
    from equipoise.lab.data.guess import guess_columns
    from equipoise.lab.data.leaks import leaks
    from equipoise.lab.data.vectors import vectors_beside

    columns = list(table.columns)
    asked: dict[str, Target | None] = {}  # None: the kind is guessed
    for text in chosen:
        if ":" in text and text not in columns:
            asked |= {target.column: target for target in expand_targets([Target.parse(text)], columns, table.name)}
        else:
            asked |= dict.fromkeys(matching(text, columns, table.name))
    guesses = {g.column: replace(g, why=" ".join(g.why.split())) for g in guess_columns(table, Path(path).parent)}
    targets: dict[str, Target] = {}
    for column, target in asked.items():
        if target is None and guesses[column].target is None:
            raise ValueError(f"{column!r} is nothing to predict: {guesses[column].why}")
        targets[column] = target or Target(column, str(guesses[column].target))
    lines = [
        f"# {Path(path).name}: {len(table)} rows, {len(table.columns)} columns, as equipoise init understands them.",
        "# Check every guess; what stands after # is not read.",
        f"case: {_quoted(path)}",
        *([f"delimiter: {json.dumps(delimiter)}"] if delimiter else []),
        *_missing_lines(table, missing),
        "",
        "# What to predict: regression, binary, multiclass, ordinal or multilabel; an empty cell is a missing label.",
    ]
    if targets:
        lines.append("target:")
        for name, target in targets.items():
            kind = ":".join([target.kind, *([",".join(target.order)] if target.order else [])])
            lines.append(f"  {_quoted(name)}: {kind}  # {guesses[name].why}")
    else:
        lines += ["# Remove the # before what you want to predict, and remove it from the columns below.", "# target:"]
        lines += [f"#   {_quoted(g.column)}: {g.target}  # {g.why}" for g in guesses.values() if g.target]
    lines += ["", "# What to predict it from."]
    inputs = [guess for guess in guesses.values() if guess.column not in targets]
    for kind in INPUT_OPTIONS:
        found = [guess for guess in inputs if guess.kind == kind]
        lines += [f"{kind}:{_needed(kind)}"] if found else []
        for guess in found:
            lines.append(f"  - {_quoted(guess.column)}  # {guess.why}")
    folder = Path(path).parent
    lines += [
        f"# vectors: {_quoted(str(folder / name))}  # an array [{len(table)}, {width}], a row for each of the table's"
        for name, width in vectors_beside(folder, len(table)).items()
    ]
    left_out = [guess for guess in inputs if guess.kind is None]
    lines += ["", "# Left out:"] if left_out else []
    lines += [f"#   {_quoted(guess.column)}: {guess.why}" for guess in left_out]
    used = [guess.column for guess in inputs if guess.kind]
    step = -(-len(used) * len(targets) // MOST_PAIRS) or 1
    warnings = [f"#   {_quoted(column)}: {why}" for column, why in leaks(table, used, list(targets)[::step])]
    if step > 1:
        lines += [
            "",
            f"# Of {step} targets one was looked at for inputs that hold its answer: ask for fewer to see all.",
        ]
    if warnings:
        lines += ["", "# These may hold the answer. If it is not yet known of a new row, remove them above:"]
    return "\n".join([*lines, *warnings, "", OTHERS.format(methods=", ".join(METHODS), trials=TUNED_TRIALS)])


def _missing_lines(table: Any, missing: Sequence[str]) -> list[str]:
    """Which cells mean an empty one, and the question which others do."""
    from equipoise.lab.data.values import may_be_missing

    given = json.dumps(list(missing), ensure_ascii=False)
    lines = [f"missing: {given}  # cells that mean an empty one"] if missing else []
    cells = {cell for column in table.columns.values() for cell in set(column) if may_be_missing(cell)}
    if not cells or "" in missing:
        return lines
    rows = {word: sum(column.count(word) for column in table.columns.values()) for word in sorted(cells)}
    counts = ", ".join(f"{word!r} in {count}" for word, count in rows.items())
    return [
        *lines,
        f"# Cells that may mean an empty one: {counts}. If they do, run equipoise init again with --missing "
        f"'{','.join([*missing, *rows])}', since the guesses change; if they are values of their own, write missing: "
        f"'{','.join([*missing, ''])}'",
    ]


def _needed(kind: str) -> str:
    """What has to be installed for a kind of input, as a comment; nothing where it is."""
    package, extra = EXTRAS.get(kind, ("", ""))
    return f'  # needs {package}: pip install "equipoise[{extra}]"' if package and find_spec(package) is None else ""


def _quoted(name: str) -> str:
    """A name as YAML reads it back."""
    plain = re.fullmatch(r"[A-Za-z_][\w./-]*( [\w./-]+)*", name)
    return name if plain and name.lower() not in NOT_TEXT else json.dumps(name, ensure_ascii=False)
