"""Arguments as they are checked, and as messages show them."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from typing import Any


def short_repr(value: Any) -> str:
    """What was given instead, for a message of one line."""
    words = " ".join(repr(value).split())
    return words if len(words) <= 80 else f"{words[:79]}…"


def number(what: str, value: Any) -> float:
    """The value as a float.

    Raises:
        ValueError: If it is not a number.
    """
    try:
        if isinstance(value, str):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{what} must be a number, got {short_repr(value)}") from None


def within(interval: str, **values: Any) -> None:
    """Require numbers, by their arguments' names, to lie in an interval.

    Args:
        interval: As it is written: ``"[0, 1)"`` has 0 and not 1; ``"(0, inf)"`` is all that is positive and finite.
        **values: The arguments.

    Raises:
        ValueError: If one does not, or is no scalar.

    >>> within("[0, 1)", beta=0.9)
    >>> within("[0, 1)", beta=1)
    Traceback (most recent call last):
    ValueError: beta must be in [0, 1), got 1
    """
    low, high = map(float, interval[1:-1].split(","))
    for name, value in values.items():
        if getattr(value, "ndim", 0):  # of which float() takes one element
            raise ValueError(f"{name} must be a number, got {short_repr(value)}")
        found = number(name, value)
        is_end = (found == low and interval[0] == "[") or (found == high and interval[-1] == "]")
        if not (low < found < high or is_end):
            raise ValueError(f"{name} must be in {interval}, got {short_repr(value)}")


def each_within(interval: str, **several: Any) -> None:
    """Require sequences of numbers, by their arguments' names, to lie in an interval: ``within`` of each.

    Raises:
        ValueError: If one does not, if there are none, or if it is no sequence.

    >>> each_within("(0, inf)", weights=[1, 2])
    >>> each_within("(0, inf)", weights=[1, 0])
    Traceback (most recent call last):
    ValueError: weights[1] must be in (0, inf), got 0
    """
    for name, values in several.items():
        if isinstance(values, str) or not isinstance(values, Iterable) or getattr(values, "ndim", 1) == 0:
            raise ValueError(f"{name} must be a sequence of numbers, got {short_repr(values)}")
        given = list(values)
        if not given:
            raise ValueError(f"{name} must hold a number for each task, got none")
        within(interval, **{f"{name}[{place}]": value for place, value in enumerate(given)})


def whole_number(least: int, **values: Any) -> None:
    """Require whole numbers, by their arguments' names, to be at least so large.

    Args:
        least: The smallest.
        **values: The arguments.

    Raises:
        ValueError: If one is not.
    """
    for name, value in values.items():
        if not isinstance(value, Integral) or int(value) < least:
            raise ValueError(f"{name} must be a whole number, {least} or more, got {short_repr(value)}")


def task_index(num_tasks: int, **values: Any) -> None:
    """Require indices of tasks, by their arguments' names.

    Args:
        num_tasks: Of all tasks.
        **values: The arguments.

    Raises:
        ValueError: If there is no such task.
    """
    for name, value in values.items():
        if not isinstance(value, Integral) or not 0 <= int(value) < num_tasks:
            raise ValueError(
                f"{name} must be the index of one of {num_tasks} tasks, from 0 to {num_tasks - 1}, "
                f"got {short_repr(value)}"
            )


def one_per_task(num_tasks: int, **values: Sequence[Any]) -> None:
    """Require as many values as there are tasks, by their arguments' names.

    Args:
        num_tasks: Of all tasks.
        **values: The arguments.

    Raises:
        ValueError: If there are more or fewer.
    """
    for name, given in values.items():
        if len(given) != num_tasks:
            raise ValueError(f"{name} must hold one value for each of {num_tasks} tasks, got {short_repr(list(given))}")


def positive_weight(name: str, weight: Any) -> float:
    """A user's weight of a task.

    Raises:
        ValueError: If it is not positive and finite.
    """
    value = number(f"weight of task {name!r}", weight)
    if not 0 < value < float("inf"):
        raise ValueError(
            f"weight of task {name!r} must be positive and finite, got {weight!r}; to leave a task out of a step, "
            "leave its loss out of the call"
        )
    return value
