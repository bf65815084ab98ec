"""Arguments of the tasks' losses among what is searched; such an axis is called ``task.argument``."""

from collections.abc import Mapping
from typing import Any

from equipoise.lab.cases import Case, loss_arguments, loss_word, own_loss, require_argument


def is_of_loss(name: str) -> bool:
    """Whether an axis is called ``task.argument``: no setting and no argument of a method has a dot."""
    return "." in name


def searchable(case: Case) -> list[str]:
    """The names of all such axes."""
    return [f"{task}.{argument}" for task in case.losses for argument in loss_arguments(case, task)]


def loss_default(case: Case, name: str) -> Any:
    """The default of the argument that an axis is called after.

    Raises:
        ValueError: If there is no such task, the case knows no losses of it, or its loss has no such argument.
    """
    task, _, argument = name.rpartition(".")
    arguments = loss_arguments(case, task)
    require_argument(task, own_loss(case, task), arguments, argument)
    return arguments[argument]


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
    return {task: loss_word(own_loss(case, task), arguments) for task, arguments in given.items()}


def beside_losses(point: Mapping[str, Any]) -> dict[str, Any]:
    """What a point says of the rest: settings and arguments of the method."""
    return {name: value for name, value in point.items() if not is_of_loss(name)}


def _text(value: Any) -> str:
    """Every digit, and no + beside an exponent, which joins losses."""
    return str(value).replace("e+", "e")
