"""How long a method's steps are beside the plain sum's, as it declares it, in words for a table."""

import inspect
import math

from equipoise.registry.row import MethodRow

_FEW, _MANY = 4, 16  # tasks, between which a factor shows itself as a power of their number


def length(row: MethodRow) -> str:
    """Of K equal gradients of equal losses at the paper's scale, beside their sum, such as ``1/K``; or ``own``."""
    few, many = (_factor(row, num_tasks) for num_tasks in (_FEW, _MANY))
    if few is None or many is None:
        return "own"
    power = round(math.log(many / few, _MANY / _FEW), 6)
    numerator = f"{_FEW**power / few:.3g}"
    if power == 0:
        return numerator
    return f"{numerator}/K{'' if power == 1 else '²' if power == 2 else f'^{power:g}'}"


def own_length(row: MethodRow) -> str:
    """What the length is, of a method that has its own: what the docstring of its ``sum_factor`` says."""
    words = inspect.cleandoc(row.cls.sum_factor.__doc__ or "").partition(": ")[2]
    return words.replace("``", "`").rstrip(".")


def _factor(row: MethodRow, num_tasks: int) -> float | None:
    method = row.make(num_tasks)
    method.bind(num_tasks)
    return method.sum_factor(num_tasks)
