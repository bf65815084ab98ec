"""A study.yaml: the options of a command, by their names, in a file."""

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from equipoise.cli.parser import Listed, Parser, fail
from equipoise.cli.workbench import need_the_lab
from equipoise.lab.data.table import is_table
from equipoise.names import nearest

MOST_BYTES = 2**18  # of a study.yaml; one with every column of a table of 10,000 has less
MOST_DEPTH = 8
MOST_LETTERS = 4096  # of a value
PAIRS = {"target": ":", "loss": "="}  # keys whose values are pairs, and what stands in these on the command line


def add_case(parser: Parser, what: str) -> None:
    """What a command works on, on the command line or in the file of a study."""
    parser.add_argument("case", nargs="?", metavar="CASE", help=what)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a study.yaml with these options; equipoise init writes one"
    )


def parse_with_config(parser: Parser, words: Sequence[str], study: Parser | None = None) -> Any:
    """The arguments in ``words``, and for options that are not there those in the file of ``--config``.

    Args:
        parser: Of a command, after ``add_case``.
        words: Of the command line.
        study: Of ``equipoise compare``, for any other command: the file holds a study, of which the command takes what
            it has an option for, but for the folder, which is the study's own. It prints what it does not use.
    """
    arguments = parser.parse(words)
    path = arguments.config
    if path is not None:
        values = _values(path, study or parser)
        known = _options(parser)
        left = [key for key in values if study and (key == "out" or key not in known)]
        if left:
            print(f"{path}: not used by {parser.prog}: {', '.join(left)}")
        given = {word.split("=")[0].removeprefix("--") for word in words} | ({"case"} if arguments.case else set())
        for key, value in values.items():
            if key not in left and key not in given:
                setattr(arguments, known[key].dest, value)
    if arguments.case is None:
        parser.error("name a CASE, or a --config with a case")
    return arguments


def _values(path: Path, study: Parser) -> dict[str, Any]:
    """The values in a file, as the options of a study have them, by key: what is wrong in it ends here."""
    options = _options(study)
    settings = _settings(path, options)
    study.source = f"{path}: "
    defaults = {options[key].dest: _default(study, options[key], key, value, path) for key, value in settings.items()}
    study.set_defaults(**defaults)
    read = study.parse([])  # the type of each option reads its text
    study.source = ""
    return {key: getattr(read, options[key].dest) for key in settings}


def _options(parser: Parser) -> dict[str, argparse.Action]:
    """What a file can set, by key."""
    options = {name.removeprefix("--"): one for one in parser._actions for name in one.option_strings or [one.dest]}
    return {key: one for key, one in options.items() if key not in ("help", "-h", "config", "verbose")}


def _settings(path: Path, known: Iterable[str]) -> dict[str, Any]:
    need_the_lab()
    import yaml

    if is_table(str(path)):
        fail(f"{path} is a table: name it without --config; equipoise init {path} writes a study.yaml")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # by libyaml, where the package has it
    try:
        text = _read(path)
        _require_plain(path, yaml.parse(text, loader))
        _require_unique_keys(path, yaml.compose(text, loader))
        settings = yaml.load(text, loader)
    except OSError as error:
        fail(f"{path} cannot be read ({error.strerror}): equipoise init DATA writes a study.yaml")
    except UnicodeDecodeError:
        fail(f"{path} is not UTF-8")
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        is_tab = mark is not None and text[mark.index : mark.index + 1] == "\t"
        fail(f"{path}{where}: {'a tab, where YAML takes blanks' if is_tab else error.problem}")
    except (yaml.YAMLError, ValueError) as error:  # a date that is none, or a tag that does not fit
        fail(f"{path}: {error}")
    if not isinstance(settings, dict):
        fail(f"{path} must hold keys with values, such as seeds: 5; got {settings!r}")
    for key in settings:
        if key not in known:
            fail(f"{path}: unknown key {key!r}; {nearest(str(key), known)}")
    return settings


def _read(path: Path) -> str:
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        fail(f"{path} has more than {MOST_BYTES} bytes, so it is no study.yaml")
    return content.decode("utf-8")


def _require_plain(path: Path, events: Iterable[Any]) -> None:
    """Leave if a file holds what a few lines of options never need, and what can grow without end when it is read."""
    depth = 0
    for event in events:
        kind, line = type(event).__name__, event.start_mark.line + 1
        depth += kind.endswith("StartEvent") - kind.endswith("EndEvent")
        if getattr(event, "anchor", None) is not None:
            fail(f"{path} line {line}: anchors and aliases (&{event.anchor}, *{event.anchor}) are not read")
        if depth > MOST_DEPTH + 2:  # the stream and the document
            fail(f"{path} line {line}: nested deeper than {MOST_DEPTH}")
        if len(getattr(event, "value", None) or "") > MOST_LETTERS:
            fail(f"{path} line {line}: a value of more than {MOST_LETTERS} letters")


def _require_unique_keys(path: Path, node: Any) -> None:
    """Leave if a key of a mapping is there twice: of those the last would win in silence."""
    if node is not None and node.id == "sequence":
        for one in node.value:
            _require_unique_keys(path, one)
    if node is None or node.id != "mapping":
        return
    keys = []
    for key, value in node.value:
        if key.value in keys:
            fail(f"{path} line {key.start_mark.line + 1}: {key.value!r} is there twice")
        keys.append(key.value)
        _require_unique_keys(path, value)


def _default(parser: Parser, option: argparse.Action, key: str, value: Any, path: Path) -> Any:
    """What a value of the file is to its option: text, which the option's type reads, or a list, which is read here."""
    if key in PAIRS:
        pairs = [f"{name}{PAIRS[key]}{what}" for name, what in value.items()] if isinstance(value, dict) else value
        return [_text(key, pair, path) for pair in (pairs if isinstance(pairs, list) else [pairs])]
    if isinstance(value, bool) and isinstance(option.const, bool):  # an option without a value
        return option.const is value
    if not isinstance(value, list):
        return _text(key, value, path)
    texts = [_text(key, one, path).strip() for one in value or [""]]
    if not isinstance(option.type, Listed):
        return ",".join(texts)
    try:
        return option.type.read(texts)
    except argparse.ArgumentTypeError as error:
        parser.error(f"argument --{key}: {error}")


def _text(key: str, value: Any, path: Path) -> str:
    if value is None or (value in ("", []) and key != "missing"):
        fail(f"{path}: {key} has no value: give it one, or remove the line")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        fail(f"{path}: {key} must be text, a number or a list of them, got {value!r}: put text in quotes")
    return str(value)
