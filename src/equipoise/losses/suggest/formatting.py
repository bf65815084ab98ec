"""Numbers as they are read."""

from torch import Tensor


def digits(value: float | Tensor) -> str:
    """Three digits, and no exponent where none is needed.

    >>> digits(0.01234), digits(28.44), digits(1000.4)
    ('0.0123', '28.4', '1,000')
    """
    value = float(value)
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.3g}"
