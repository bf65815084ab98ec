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

_FILE_LOSS = re.compile(r"(?P<path>.+\.py):(?P<attribute>\w+)")


def path_of(word: str) -> str | None:
    """The path in the text of a loss, ``path.py:Name`` with or without arguments; None where it is a loss's name.

    >>> path_of("mine/own.py:Mine:gamma=2"), path_of("focal:gamma=2")
    ('mine/own.py', None)
    """
    found = _FILE_LOSS.match(word)
    return None if found is None else found["path"]


def without_folder(word: str) -> str:
    """The text of a loss from a file, without the folder of the file; any other as it is.

    >>> without_folder("mine/own.py:Mine:gamma=2")
    'own.py:Mine:gamma=2'
    """
    path = path_of(word)
    return word if path is None else Path(path).name + word.removeprefix(path)


def file_loss(name: str) -> Callable[..., Callable[..., Tensor]]:
    """A factory of the loss in a file: keyword arguments -> a loss, (output, target) -> scalar.

    A class is called with the arguments, a function is returned with them bound, and any other callable, such as a
    module that is made already, takes none and is returned as it is. ``inspect.signature`` of the factory shows the
    arguments, as it does for the losses of a case.

    Args:
        name: ``path/to/file.py:Name``.

    Raises:
        ValueError: If there is no such file or name, the file fails, or what it holds cannot be called.
    """
    found = _FILE_LOSS.fullmatch(name)
    assert found is not None
    path = found["path"]
    loss = from_file(path, found["attribute"])
    if not callable(loss):
        raise ValueError(f"{name}: a loss is a class or a function, got {type(loss).__name__}")

    is_class = inspect.isclass(loss)

    def factory(**arguments: Any) -> Callable[..., Tensor]:
        try:
            made: Callable[..., Tensor] = loss(**arguments) if is_class else _bound(loss, arguments)
            return made
        except Exception as error:  # whatever a user's file does
            raise ValueError(error_line(error, path)) from error

    factory.__signature__ = Signature(_arguments(loss))  # type: ignore[attr-defined]
    return factory


def _bound(loss: Callable[..., Tensor], arguments: dict[str, Any]) -> Callable[..., Tensor]:
    return partial(loss, **arguments) if arguments else loss


def _arguments(loss: Callable[..., Any]) -> list[Parameter]:
    """The arguments that may be given: all of a class's; those of a function that have defaults or are keyword-only.

    The others of a function are the output and the target.
    """
    if not (inspect.isclass(loss) or inspect.isfunction(loss)):
        return []
    arguments = [
        parameter
        for parameter in inspect.signature(loss).parameters.values()
        if parameter.kind in (Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)
        and (
            inspect.isclass(loss)
            or parameter.default is not Parameter.empty
            or parameter.kind is Parameter.KEYWORD_ONLY
        )
    ]
    return [argument.replace(kind=Parameter.KEYWORD_ONLY) for argument in arguments]
