"""The parser of a command's words, and the one line that wrong use ends in."""

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from equipoise.names import nearest

WRONG_USE = 2
REPEATED = (argparse._AppendAction, argparse._ExtendAction, argparse._StoreTrueAction)
MOST_LETTERS = 4000  # of a line on stderr
MOST = 2**32 - 1  # the largest seed of numpy's generator, and more than enough of anything


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line.

    Args:
        source: What the line begins with: where the words come from, if not from the command line.
        arguments: Those of ``argparse.ArgumentParser``.
    """

    def __init__(self, source: str = "", **arguments: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=_Help, **arguments)
        self.source = source

    def error(self, message: str) -> NoReturn:
        """Say what is wrong, and leave."""
        fail(f"{self.source}{message} (see {self.prog} --help)")

    def add_verbose(self) -> None:
        """How much a terminal shows of results."""
        self.add_argument("--verbose", action="store_true", help="print every table and note, not 40 lines at most")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The arguments; an unknown option names the nearest one, and one that takes one value is there once."""
        known = {option: action for action in self._actions for option in action.option_strings}
        seen: set[str] = set()
        for option in (word.split("=")[0] for word in words if word.startswith("-")):
            if option in known:
                if option in seen and not isinstance(known[option], REPEATED):
                    fail(f"{option} is given twice: leave one out")
                seen.add(option)
            elif not option[1:2].isdigit():
                meant = [name for name in known if _initials(name) == option.lstrip("-")]
                listing = f"{self.prog} --help"
                fail(f"unknown option {option!r}; {nearest(meant[0] if meant else option, known, listing, common='-')}")
        joined: list[str] = []
        for word in words:  # argparse takes -1 for a value, and -1,-2 for an option
            if word[:1] == "-" and word[1:2].isdigit() and joined and joined[-1] in known:
                joined[-1] += f"={word}"
            else:
                joined.append(word)
        arguments, more = self.parse_known_args(joined)
        if more:
            remedy = ": an option takes one word, so write a,b without blanks, and quotes around what has some"
            self.error(f"unrecognized arguments: {' '.join(more)}{remedy * bool(seen)}")
        return arguments


def _initials(option: str) -> str:
    """How an option of several words may be written in short.

    >>> _initials("--learning-rate")
    'lr'
    """
    return "".join(word[0] for word in option.split("-") if word)


class _Help(argparse.HelpFormatter):
    """Help that fits 80 columns, whatever the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=min(shutil.get_terminal_size().columns, 80) - 2)


def fail(message: str) -> NoReturn:
    """Write one line to stderr and leave with status 2."""
    line = " ".join(message.split())
    if len(line) > MOST_LETTERS:
        line = f"{line[: MOST_LETTERS // 2]} … {line[-MOST_LETTERS // 2 :]}"
    print(f"equipoise: {line}", file=sys.stderr)
    raise SystemExit(WRONG_USE)


def between_commas(text: str) -> list[str]:
    """The parts of a text, without blanks around them."""
    return [part.strip() for part in text.split(",")]


@dataclass(frozen=True)
class Listed:
    """The type of an option with several values.

    Args:
        read: From the parts, which a file gives apart, to the values.
        split: From the text on the command line to the parts.
    """

    read: Callable[[Sequence[str]], Sequence[Any]]
    split: Callable[[str], list[str]] = between_commas

    def __call__(self, text: str) -> Sequence[Any]:
        """The values in a text."""
        return self.read(self.split(text))


names = Listed(tuple)


def number(text: str) -> float:
    """Any number."""
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"a number, got {text!r}") from None


def positive(text: str) -> int:
    """A whole number of at least 1."""
    return _whole(text, 1)


def folder(text: str) -> Path:
    """A path that is not empty."""
    if not text:
        raise argparse.ArgumentTypeError(f"a folder, got {text!r}")
    return Path(text)


def whole(text: str) -> int:
    """A whole number of at least 0."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    if not text.isdecimal() or (len(text) <= len(str(MOST)) and int(text) < least):
        raise argparse.ArgumentTypeError(f"a whole number of at least {least}, got {text!r}")
    if len(text) > len(str(MOST)) or int(text) > MOST:
        raise argparse.ArgumentTypeError(f"a whole number of at most {MOST}, got {text[:20]!r}")
    return int(text)
