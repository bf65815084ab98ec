"""Numbers and lists as they are read."""

from torch import Tensor

_NAMED = 5  # of a list, before "and more"


def digits(value: float | Tensor) -> str:
    """Three digits, and no exponent where none is needed.

    >>> digits(0.01234), digits(28.44), digits(1000.4)
    ('0.0123', '28.4', '1,000')
    """
    value = float(value)
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"


def listed(names: list[int]) -> str:
    """The first few, and how many more.

    >>> listed([0, 1, 2, 3, 4, 5, 6])
    '0, 1, 2, 3, 4 and 2 more'
    """
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(map(str, names[:_NAMED])) + more
