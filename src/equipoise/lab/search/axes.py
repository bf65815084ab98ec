"""From a word of ``--search`` to what is searched; an argument of a task's loss is called ``task.argument``."""

from collections.abc import Mapping
from typing import Any

import equipoise as eq
from equipoise.lab.cases import Case, LossChoice, number_or_word, own_loss, require_losses
from equipoise.lab.search.space import Choice, Number

SETTINGS = {"lr": "learning_rate", "wd": "weight_decay"}  # by the name of their axis


def axis(text: str, case: Case, method: str) -> Number | Choice:
    """The axis that a word of ``--search`` stands for: ``lr``, ``wd``, ``NAME=LOW:HIGH`` or ``NAME=A|B``.

    NAME is an argument of the method, or ``TASK.ARGUMENT`` one of a task's loss. Without a range the learning rate is
    searched within a factor of 10 of the case's, the weight decay within 30 of it. A range of an argument is searched
    by its logarithm if it is positive and spans a factor of 10.

    Raises:
        ValueError: If the word cannot be read, names no argument of the method or of a loss, or a loss cannot have a
            value that is named.
    """
    name, given, values = text.partition("=")
    defaults: dict[str, Any] = {short: getattr(case, field) for short, field in SETTINGS.items()}
    if is_of_loss(name):
        defaults = {name: loss_default(case, name)}
    elif name not in defaults:
        defaults = arguments_of(method)
        if name not in defaults:
            known = ", ".join(["weights, lr, wd", *defaults, *searchable(case)])
            raise ValueError(f"nothing named {name!r} to search: {known}")
    default = defaults[name]
    if not given:
        if name not in SETTINGS:
            raise ValueError(f"give the range of {name!r}: {name}=LOW:HIGH or {name}=A|B")
        if not default:
            raise ValueError(f"the case's {name} is 0, which has no range around it: {name}=LOW:HIGH")
        factor = 10 if name == "lr" else 30
        return Number(name, default / factor, default * factor, default, log=True)
    if "|" in values:
        options = tuple(number_or_word(word) for word in values.split("|"))
        require_losses(case, (losses_at(case, {name: option}) for option in options))
        return Choice(name, tuple(sorted(options, key=lambda option: option != default)))
    low, colon, high = values.partition(":")
    ends = (number_or_word(low), number_or_word(high))
    if not colon or not all(isinstance(end, int | float) for end in ends):
        raise ValueError(f"the range of {name!r} must be LOW:HIGH or A|B, got {values!r}")
    require_losses(case, (losses_at(case, {name: end}) for end in ends))
    bottom, top = (float(end) for end in ends)
    log = bottom > 0 and top >= 10 * bottom
    inside = isinstance(default, int | float) and bottom <= default <= top
    middle = (bottom * top) ** 0.5 if log else (bottom + top) / 2
    return Number(name, bottom, top, float(default) if inside else middle, log)


def arguments_of(method: str) -> dict[str, Any]:
    """The arguments of a method with their defaults."""
    for row in eq.methods():
        if row.name == method:
            return {name: default for name, default in row.arguments.items() if name != "weights"}
    return {}


def is_of_loss(name: str) -> bool:
    """Whether an axis is called ``task.argument``: no setting and no argument of a method has a dot."""
    return "." in name


def searchable(case: Case) -> list[str]:
    """The names of all such axes."""
    return [f"{task}.{argument}" for task in case.losses for argument in own_loss(case, task).arguments]


def loss_default(case: Case, name: str) -> Any:
    """The default of the argument that an axis is called after.

    Raises:
        ValueError: If there is no such task, the case knows no losses of it, or its loss has no such argument.
    """
    task, _, argument = name.rpartition(".")
    loss = own_loss(case, task)
    loss.require_argument(argument)
    return loss.arguments[argument]


def losses_at(case: Case, point: Mapping[str, Any]) -> dict[str, str]:
    """The losses of a point, as ``with_losses`` takes them: those of which an argument is searched, with these alone.

    Args:
        case: Whose own losses take the arguments.
        point: A value by name of an axis; others than ``task.argument`` are passed over.
    """
    given: dict[str, dict[str, str]] = {}
    for name, value in point.items():
        if is_of_loss(name):
            task, _, argument = name.rpartition(".")
            given.setdefault(task, {})[argument] = _text(value)
    return {task: str(LossChoice(own_loss(case, task).name, arguments)) for task, arguments in given.items()}


def beside_losses(point: Mapping[str, Any]) -> dict[str, Any]:
    """What a point says of the rest: settings and arguments of the method."""
    return {name: value for name, value in point.items() if not is_of_loss(name)}


def _text(value: Any) -> str:
    """Every digit, and no + beside an exponent, which joins losses."""
    return str(value).replace("e+", "e")
