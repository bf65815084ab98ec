"""From a word of ``--search`` to what is searched."""

from typing import Any

import equipoise as eq
from equipoise.lab.cases import Case, number_or_word, require_losses
from equipoise.lab.search.loss_axes import is_of_loss, loss_default, losses_at, searchable
from equipoise.lab.search.space import Choice, Number
from equipoise.lab.search.training import SETTINGS


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
