"""A loss from a Python file of the user's: ``path/to/file.py:Name``."""

import inspect
import re
from collections.abc import Callable
from functools import partial
from inspect import Parameter, Signature
from pathlib import Path
from typing import Any

from torch import Tensor

from equipoise.own_file import error_line, from_file

_WORD = re.compile(r"(?P<path>.+\.py):(?P<attribute>\w+)")


def path_of(word: str) -> str | None:
    """The file that a loss is from; None for one by name.

    >>> path_of("mine/own.py:Mine:gamma=2"), path_of("focal:gamma=2")
    ('mine/own.py', None)
    """
    found = _WORD.match(word)
    return None if found is None else found["path"]


def without_folder(word: str) -> str:
    """A loss from a file, without the folder of the file; one by name as it is.

    >>> without_folder("mine/own.py:Mine:gamma=2")
    'own.py:Mine:gamma=2'
    """
    path = path_of(word)
    return word if path is None else Path(path).name + word.removeprefix(path)


def file_loss(name: str) -> Callable[..., Callable[..., Tensor]]:
    """What makes a loss: of a class with its arguments, of a function with these bound; a ready module as it is.

    Args:
        name: ``path/to/file.py:Name``.

    Raises:
        ValueError: If there is no such file or name, the file fails, or what it holds cannot be called.
    """
    found = _WORD.fullmatch(name)
    assert found is not None
    path = found["path"]
    loss = from_file(path, found["attribute"])
    if not callable(loss):
        raise ValueError(f"{name}: a loss is a class or a function, got {type(loss).__name__}")

    is_class = inspect.isclass(loss)

    def make(**arguments: Any) -> Callable[..., Tensor]:
        try:
            made: Callable[..., Tensor] = loss(**arguments) if is_class else partial(loss, **arguments)
            return made if is_class or arguments else loss
        except Exception as error:  # whatever a user's file does
            raise ValueError(error_line(error, path)) from error

    make.__signature__ = Signature(_arguments(loss))  # type: ignore[attr-defined]
    return make


def _arguments(loss: Callable[..., Any]) -> list[Parameter]:
    """What may be given: all that a class takes, and of a function what is no output or target."""
    if not (inspect.isclass(loss) or inspect.isfunction(loss)):
        return []
    named = [
        one
        for one in inspect.signature(loss).parameters.values()
        if one.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
    ]
    if not inspect.isclass(loss):
        named = [one for one in named if one.default is not Parameter.empty or one.kind is Parameter.KEYWORD_ONLY]
    return [one.replace(kind=Parameter.KEYWORD_ONLY) for one in named]
