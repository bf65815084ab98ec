"""Arguments as they are checked, and as messages show them."""

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
