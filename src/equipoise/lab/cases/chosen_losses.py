"""The losses that a case knows by name, those in a user's file, and a case with some of them in place of its own."""

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from inspect import Parameter, Signature, signature
from pathlib import Path
from typing import Any

from torch import Tensor

from equipoise.arguments import short_repr
from equipoise.lab.cases.case import Case
from equipoise.losses.catalog import LossRow, find_losses
from equipoise.names import nearest
from equipoise.own_file import error_line, from_file
from equipoise.tasks import Tasks

Factory = Callable[..., Callable[..., Tensor]]
LONGEST = 60  # letters that losses add to a name
_IN_FILE = re.compile(r"(?P<path>.+\.py):(?P<attribute>[^:]+)")
_BOOLS = {"True": True, "False": False}


@dataclass(frozen=True)
class LossChoice:
    """A loss and what it is made with; ``str`` gives the text that was parsed.

    Args:
        name: Of a loss, or ``path/to/file.py:Name``.
        arguments: By name, as they are written.
    """

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "LossChoice":
        """From ``focal``, ``focal:gamma=1.5`` or ``mine/own.py:Mine:gamma=2``.

        Raises:
            ValueError: If an argument has no value, or is given twice.

        >>> LossChoice.parse("mine/own.py:Mine:gamma=2")
        LossChoice(name='mine/own.py:Mine', arguments={'gamma': '2'})
        """
        in_file = _IN_FILE.match(text)
        name = in_file[0] if in_file else text.partition(":")[0]
        arguments: dict[str, str] = {}
        for one in text.removeprefix(name).split(":")[1:]:
            argument, _, value = one.partition("=")
            if not value:
                raise ValueError(
                    f"argument {argument!r} of loss {name!r} must have a value, such as {argument}=1: {text!r}"
                )
            if argument in arguments:
                raise ValueError(f"argument {argument!r} of loss {name!r} is given twice: {text!r}")
            arguments[argument] = value
        return cls(name, arguments)

    def __str__(self) -> str:
        return ":".join([self.name, *(f"{argument}={value}" for argument, value in self.arguments.items())])

    @property
    def path(self) -> str | None:
        """The file that it is in; None where it is known by name."""
        found = _IN_FILE.fullmatch(self.name)
        return None if found is None else found["path"]

    def without_folder(self) -> "LossChoice":
        """The same, but of a file the name alone.

        >>> str(LossChoice.parse("mine/own.py:Mine:gamma=2").without_folder())
        'own.py:Mine:gamma=2'
        """
        path = self.path
        return self if path is None else replace(self, name=Path(path).name + self.name.removeprefix(path))


@dataclass(frozen=True)
class KnownLoss:
    """A loss of a task by name; ``str`` is ``huber(delta=0.5)``, with every argument, equal for equal losses.

    Args:
        task: Whose.
        name: As in the case's ``losses``.
        make: Its factory.
    """

    task: str
    name: str
    make: Factory

    @property
    def arguments(self) -> dict[str, Any]:
        """What the factory takes, with the defaults."""
        found = signature(self.make).parameters.values()
        return {one.name: one.default for one in found if one.default is not Parameter.empty}

    def require_argument(self, name: str) -> None:
        """Raise a ValueError if the factory does not take this argument."""
        taken = signature(self.make).parameters
        if name not in taken:
            raise ValueError(f"loss {self.name!r} of {self.task!r} has no argument {name!r}; {nearest(name, taken)}")

    def __str__(self) -> str:
        values = ", ".join(f"{name}={_shown(value)}" for name, value in self.arguments.items())
        return f"{self.name}({values})" if values else self.name


def own_loss(case: Case, task: str) -> KnownLoss:
    """The loss that a task has.

    Raises:
        ValueError: If the case knows no loss of it by name.
    """
    return KnownLoss(task, *next(iter(_losses_of(case, task).items())))


def with_losses(case: Case, chosen: Mapping[str, str]) -> Case:
    """The case with these losses, each then the first of its task's ``losses``; metrics and network stay.

    Args:
        case: With ``losses``.
        chosen: By task, what ``LossChoice.parse`` takes: a name of ``losses`` in any of its spellings, or
            ``path/to/file.py:Name``, a class or a function; what its factory takes may follow: ``focal:gamma=1.5``.
            Other arguments stay as they are in ``losses``.

    Raises:
        ValueError: If there is no such task, loss or argument, one is given twice, or the loss cannot be made.
    """
    known, made, texts = dict(case.losses), {}, dict(case.chosen)
    for task, text in chosen.items():
        choice = LossChoice.parse(text)
        loss = _find(case, task, choice)
        try:
            made[task] = loss.make()
        except (ValueError, TypeError) as error:
            raise ValueError(f"{task}={text}: {error}") from None
        earlier = LossChoice.parse(case.chosen.get(task, loss.name))
        kept = earlier.arguments if earlier.name == loss.name else {}
        texts[task] = str(LossChoice(loss.name, {**kept, **choice.arguments}))
        others = known.get(task, {})
        known[task] = {loss.name: loss.make, **{name: others[name] for name in others if name != loss.name}}
    texts = {task: texts[task] for task in case.tasks.names if task in texts}
    return replace(
        case,
        name=case.name.removesuffix(_in_name(case.chosen)) + _in_name(texts),
        title=case.title.removesuffix(_in_title(case.chosen)) + _in_title(texts),
        tasks=Tasks([replace(task, loss=made.get(task.name, task.loss)) for task in case.tasks]),
        losses=known,
        chosen=texts,
    )


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


def _in_name(chosen: Mapping[str, str]) -> str:
    """What losses add to a case's name, which is a folder's too; of many the first and a mark of all."""
    plain = "".join(re.sub(r"[^\w.-]+", "-", f"-{task}-{text}") for task, text in chosen.items())
    if len(plain) <= LONGEST:
        return plain
    return f"{plain[:LONGEST]}-{hashlib.sha256(repr(dict(chosen)).encode()).hexdigest()[:8]}"


def _in_title(chosen: Mapping[str, str]) -> str:
    return ", with " + ", ".join(f"{task}={text}" for task, text in chosen.items()) if chosen else ""


def _require_task(case: Case, task: str) -> None:
    if task not in case.tasks.names:
        raise ValueError(f"no task {task!r}; {nearest(task, case.tasks.names)}")


def _losses_of(case: Case, task: str) -> Mapping[str, Factory]:
    _require_task(case, task)
    if task not in case.losses:
        of = f" of {task!r} by name, only of {', '.join(case.losses)}" if case.losses else " by name"
        raise ValueError(f"case {case.name} knows no losses{of}: give one from a file, {task}=path/to/file.py:Name")
    return case.losses[task]


def _find(case: Case, task: str, choice: LossChoice) -> KnownLoss:
    """The loss that is chosen, with the arguments of the choice for defaults."""
    if choice.path is None or choice.name in case.losses.get(task, {}):
        known = _losses_of(case, task)
        name = _known_name(task, choice.name, known)
        loss = KnownLoss(task, name, known[name])
    else:
        _require_task(case, task)
        try:
            loss = KnownLoss(task, choice.without_folder().name, _from_file(choice.name))
        except ValueError as error:
            raise ValueError(f"{task}={choice}: {error}") from None
    for argument in choice.arguments:
        loss.require_argument(argument)
    values = {argument: number_or_word(value) for argument, value in choice.arguments.items()}
    return replace(loss, make=partial(loss.make, **values)) if values else loss


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


def _from_file(name: str) -> Factory:
    """A factory of the loss in a file: keyword arguments -> a loss, (output, target) -> scalar.

    A class is called with the arguments, a function is returned with them bound, and any other callable, such as a
    module that is made already, takes none and is returned as it is. ``signature`` of the factory shows the arguments.

    Raises:
        ValueError: If there is no such file or name, the file fails, or what it holds cannot be called.
    """
    path, _, attribute = name.rpartition(":")
    loss = from_file(path, attribute)
    if not callable(loss):
        raise ValueError(f"{name}: a loss is a class or a function, got {type(loss).__name__}")
    is_class = inspect.isclass(loss)

    def factory(**arguments: Any) -> Callable[..., Tensor]:
        try:
            made: Callable[..., Tensor] = loss(**arguments) if is_class else _bound(loss, arguments)
            return made
        except Exception as error:  # whatever a user's file does
            raise ValueError(error_line(error, path)) from error

    factory.__signature__ = Signature(_arguments_of(loss))  # type: ignore[attr-defined]
    return factory


def _bound(loss: Callable[..., Tensor], arguments: dict[str, Any]) -> Callable[..., Tensor]:
    return partial(loss, **arguments) if arguments else loss


def _arguments_of(loss: Callable[..., Any]) -> list[Parameter]:
    """All of a class; of a function those with a default and the keyword-only ones: the rest are output and target."""
    if not (inspect.isclass(loss) or inspect.isfunction(loss)):
        return []
    found = (
        one
        for one in signature(loss).parameters.values()
        if one.kind == Parameter.KEYWORD_ONLY
        or (one.kind == Parameter.POSITIONAL_OR_KEYWORD and (inspect.isclass(loss) or one.default is not one.empty))
    )
    return [one.replace(kind=Parameter.KEYWORD_ONLY) for one in found]


def _shown(value: Any) -> str:
    """A number alike whether it is whole or not: 2 and 2.0 are one argument."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return repr(float(value)).removesuffix(".0") if number else short_repr(value)
