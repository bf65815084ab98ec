"""Options that say how networks are trained, the same for every method."""

import argparse
from collections.abc import Callable
from dataclasses import Field, fields
from types import NoneType
from typing import Any, get_args, get_origin

from equipoise.cli.parser import Parser, names, number, positive, whole
from equipoise.lab.settings import COUNT, Settings

OPTIONS = tuple(field for field in fields(Settings) if field.name != "epochs")


def add_training_options(parser: Parser) -> None:
    """An option for each setting but the epochs, and for what replaces parts of a case."""
    group = parser.add_argument_group("training, the same for every method")
    add_case_options(group)
    for option in OPTIONS:
        about = option.metadata
        group.add_argument(
            f"--{option.name.replace('_', '-')}", type=_kind(option), metavar=about["metavar"], help=about["help"]
        )


def add_case_options(parser: Any) -> None:
    """What replaces parts of a case: the architecture and losses."""
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="architecture on the case's encoder: cross-stitch, mmoe, cgc, ple or mtan; default hard sharing",
    )
    parser.add_argument(
        "--loss",
        action="append",
        default=[],
        metavar="TASK=LOSS",
        help="loss of a task, again for each task: a name, or a class or function in a file, "
        "TASK=path/to/file.py:NAME; arguments may follow: emotions=soft-f1:proportion=0.3",
    )


def training_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """The settings that the arguments name, by their names in ``Settings``."""
    return {one.name: value for one in OPTIONS if (value := getattr(arguments, one.name)) is not None}


def _kind(option: "Field[Any]") -> Callable[[str], Any]:
    """What reads a word as the value of a field."""
    named = option.metadata["named"]
    if named:
        return lambda text: _named(text, named)
    if get_origin(option.type) is tuple:
        return names
    (kind,) = (one for one in get_args(option.type) or (option.type,) if one is not NoneType)
    if kind is int:
        return positive if option.metadata["limit"] is COUNT else whole
    return number if kind is float else kind


def _named(text: str, values: dict[str, float]) -> float:
    try:
        return values[text] if text in values else float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{', '.join(values)} or a number, got {text!r}") from None
