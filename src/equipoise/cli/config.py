"""A study.yaml: the options of a command, by their names, in a file."""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from equipoise.cli.parser import Parser, fail, nearest
from equipoise.cli.workbench import need_the_lab

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
            it has an option for, but for the folder, which is the study's own. It says what it leaves.
    """
    arguments = parser.parse(words)
    if arguments.config is not None:
        arguments = parser.parse([*_file_words(parser, study or parser, arguments, words), *words])
    if arguments.case is None:
        parser.error("name a CASE, or a --config with a case")
    return arguments


def _file_words(parser: Parser, study: Parser, arguments: Any, words: Sequence[str]) -> list[str]:
    """The words that a command takes from a study's file, which is read as a whole: what is wrong in it ends here."""
    path = arguments.config
    settings = _settings(path, {"case", *_options(study)})
    file_words = {key: _word(key, value, path) for key, value in settings.items()}
    study.source = f"{path}: "
    study.parse([word for words_of_key in file_words.values() for word in words_of_key])
    study.source = ""
    left = (
        [] if study is parser else [key for key in settings if key == "out" or key not in {"case", *_options(parser)}]
    )
    if left:
        print(f"{path}: not used by {parser.prog}: {', '.join(left)}")
    given = {word.split("=")[0] for word in words}
    return [
        word
        for key, words_of_key in file_words.items()
        if key not in left and f"--{key}" not in given and not (key == "case" and arguments.case)
        for word in words_of_key
    ]


def _options(parser: Parser) -> list[str]:
    names = [option.removeprefix("--") for action in parser._actions for option in action.option_strings]
    return [name for name in names if name not in ("help", "-h", "config", "verbose")]


def _settings(path: Path, known: set[str]) -> dict[str, Any]:
    need_the_lab()
    import yaml

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
        fail(f"{path}{where}: {error.problem}")
    except (yaml.YAMLError, ValueError) as error:  # a date that is none, or a tag that does not fit
        fail(f"{path}: {error}")
    if not isinstance(settings, dict):
        fail(f"{path} must hold keys with values, such as seeds: 5; got {settings!r}")
    for key in settings:
        if key not in known:
            fail(f"{path}: unknown key {key!r}; the nearest is {nearest(str(key), known)!r}")
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


def _word(key: str, value: Any, path: Path) -> list[str]:
    """The words of the command line that mean the same."""
    if key in PAIRS:
        pairs = [f"{name}{PAIRS[key]}{what}" for name, what in value.items()] if isinstance(value, dict) else value
        return [f"--{key}={_text(key, pair, path)}" for pair in (pairs if isinstance(pairs, list) else [pairs])]
    if isinstance(value, list):
        texts = [_text(key, one, path) for one in value]
        ending = "," if key == "seeds" and len(texts) == 1 else ""  # 3 is how many, 3, is which
        value = _joined(texts) + ending
    text = _text(key, value, path)
    return [text] if key == "case" else [f"--{key}={text}"]


def _text(key: str, value: Any, path: Path) -> str:
    if value is None or value in ("", []):
        fail(f"{path}: {key} has no value: give it one, or remove the line")
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        fail(f"{path}: {key} must be text, a number or a list of them, got {value!r}: put text in quotes")
    return str(value)


def _joined(texts: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()
