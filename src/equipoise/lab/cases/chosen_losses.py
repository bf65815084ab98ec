"""A case with other losses in place of its own, on the same data and network."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from inspect import Parameter, signature
from typing import Any

from torch import Tensor

from equipoise.arguments import short_repr
from equipoise.lab.cases.case import Case
from equipoise.lab.cases.file_loss import file_loss, path_of, without_folder
from equipoise.losses.catalog import LossRow, find_losses
from equipoise.names import nearest
from equipoise.tasks import Tasks

Factory = Callable[..., Callable[..., Tensor]]
LONGEST = 60  # letters that losses add to a name
_BOOLS = {"True": True, "False": False}


def with_losses(case: Case, chosen: Mapping[str, str]) -> Case:
    """The case with these losses, each then the first of its task's ``losses``; metrics and network stay.

    Args:
        case: With ``losses``.
        chosen: By task, a name there in any of its spellings, or ``path/to/file.py:Name``, a class or a function; what
            its factory takes may follow: ``focal`` or ``focal:gamma=1.5``. Other arguments stay as they are in
            ``losses``.

    Raises:
        ValueError: If there is no such task, loss or argument, one is given twice, or the loss cannot be made.
    """
    known, made, words = dict(case.losses), {}, dict(case.chosen)
    for task, word in chosen.items():
        name, factory = _find(case, task, word)
        words[task] = _joined(case.chosen.get(task), loss_word(name, _parts(word)[1]))
        try:
            made[task] = factory()
        except (ValueError, TypeError) as error:
            raise ValueError(f"{task}={word}: {error}") from None
        others = known.get(task, {})
        known[task] = {name: factory, **{other: others[other] for other in others if other != name}}
    words = {task: words[task] for task in case.tasks.names if task in words}
    return replace(
        case,
        name=case.name.removesuffix(_in_name(case.chosen)) + _in_name(words),
        title=case.title.removesuffix(_in_title(case.chosen)) + _in_title(words),
        tasks=Tasks([replace(task, loss=made.get(task.name, task.loss)) for task in case.tasks]),
        losses=known,
        chosen=words,
    )


def _in_name(chosen: Mapping[str, str]) -> str:
    """What losses add to a case's name, which is a folder's too; of many the first and a mark of all."""
    plain = "".join(re.sub(r"[^\w.-]+", "-", f"-{task}-{word}") for task, word in chosen.items())
    if len(plain) <= LONGEST:
        return plain
    return f"{plain[:LONGEST]}-{hashlib.sha256(repr(dict(chosen)).encode()).hexdigest()[:8]}"


def _in_title(chosen: Mapping[str, str]) -> str:
    return ", with " + ", ".join(f"{task}={word}" for task, word in chosen.items()) if chosen else ""


def own_loss(case: Case, task: str) -> str:
    """The name of the loss that a task has.

    Raises:
        ValueError: If the case knows no loss of it by name.
    """
    return next(iter(_losses_of(case, task)))


def loss_arguments(case: Case, task: str) -> dict[str, Any]:
    """What the factory of a task's loss takes, with the defaults.

    Raises:
        ValueError: If the case knows no loss of it by name.
    """
    return _arguments(_losses_of(case, task)[own_loss(case, task)])


def describe_loss(case: Case, task: str) -> str:
    """The name of a task's loss, and every argument of it: ``huber(delta=0.5)``, equal for equal losses.

    Raises:
        ValueError: If the case knows no loss of it by name.
    """
    values = ", ".join(f"{name}={_shown(value)}" for name, value in loss_arguments(case, task).items())
    return f"{own_loss(case, task)}({values})" if values else own_loss(case, task)


def require_argument(task: str, loss: str, arguments: Mapping[str, Any], argument: str) -> None:
    """Raise a ValueError if a task's loss, which takes these arguments, does not take this one."""
    if argument not in arguments:
        raise ValueError(f"loss {loss!r} of {task!r} has no argument {argument!r}; {nearest(argument, arguments)}")


def loss_word(name: str, arguments: Mapping[str, str]) -> str:
    """A loss and what it is made with, in the word that ``with_losses`` takes.

    >>> loss_word("focal", {"gamma": "1.5"})
    'focal:gamma=1.5'
    """
    return ":".join([name, *(f"{argument}={value}" for argument, value in arguments.items())])


def number_or_word(text: str) -> str | float:
    """A number where the text is one, and True or False where it says so.

    >>> number_or_word("3"), number_or_word("0.5"), number_or_word("False"), number_or_word("macro")
    (3, 0.5, False, 'macro')
    """
    if text in _BOOLS:
        return _BOOLS[text]
    try:
        return int(text) if text.isdecimal() else float(text)
    except ValueError:
        return text


def _require_task(case: Case, task: str) -> None:
    if task not in case.tasks.names:
        raise ValueError(f"no task {task!r}; {nearest(task, case.tasks.names)}")


def _losses_of(case: Case, task: str) -> Mapping[str, Factory]:
    _require_task(case, task)
    if task not in case.losses:
        rest = f"only of {', '.join(case.losses)}" if case.losses else "of no task"
        raise ValueError(
            f"case {case.name} knows no losses of {task!r} by name, {rest}: give one from a file, "
            f"{task}=path/to/file.py:Name"
        )
    return case.losses[task]


def _find(case: Case, task: str, word: str) -> tuple[str, Factory]:
    """The name and the factory that a word means."""
    name, arguments = _parts(word)
    if path_of(name) is None or name in case.losses.get(task, {}):
        known = _losses_of(case, task)
        name = _known_name(task, name, known)
        factory = known[name]
    else:
        _require_task(case, task)
        try:
            name, factory = without_folder(name), file_loss(name)
        except ValueError as error:
            raise ValueError(f"{task}={word}: {error}") from None
    for argument in arguments:
        require_argument(task, name, signature(factory).parameters, argument)
    values = {argument: number_or_word(value) for argument, value in arguments.items()}
    return name, partial(factory, **values) if values else factory


def _known_name(task: str, name: str, known: Mapping[str, Factory]) -> str:
    """The one of the known names that means the same loss.

    Raises:
        ValueError: If there is none.
    """
    if name in known:
        return name
    meant = _rows(name)[:1]
    first = [other for other in known if meant and _rows(other)[:1] == meant]
    same = first or [other for other in known if meant and meant[0] in _rows(other)]
    if len(same) != 1:
        raise ValueError(f"task {task!r} has no loss {name!r}; {nearest(name, known)}")
    return same[0]


def _rows(name: str) -> tuple[LossRow, ...]:
    try:
        return find_losses(name)
    except ValueError:  # a name of the case's own
        return ()


def _shown(value: Any) -> str:
    """A number alike whether it is whole or not: 2 and 2.0 are one argument."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value)).removesuffix(".0") if number else short_repr(value)


def _parts(word: str) -> tuple[str, dict[str, str]]:
    """The name in a word, and what follows it by argument."""
    path = path_of(word)
    if path is None:
        name, *given = word.split(":")
    else:
        name, *given = word.removeprefix(f"{path}:").split(":")
        name = f"{path}:{name}"
    arguments: dict[str, str] = {}
    for one in given:
        argument, equals, value = one.partition("=")
        if not equals or not value:
            raise ValueError(
                f"argument {argument!r} of loss {name!r} must have a value, such as {argument}=1: {word!r}"
            )
        if argument in arguments:
            raise ValueError(f"argument {argument!r} of loss {name!r} is given twice: {word!r}")
        arguments[argument] = value
    return name, arguments


def _joined(earlier: str | None, word: str) -> str:
    """The word, with the arguments of an earlier choice of the same loss."""
    name, arguments = _parts(word)
    if earlier is not None and _parts(earlier)[0] == name:
        arguments = {**_parts(earlier)[1], **arguments}
    return loss_word(name, arguments)


def _arguments(factory: Factory) -> dict[str, Any]:
    found = signature(factory).parameters.values()
    return {one.name: one.default for one in found if one.default is not Parameter.empty}
