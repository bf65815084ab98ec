"""Numbers and lists as sentences hold them."""

from collections.abc import Sequence

from equipoise.lab.evaluation.statistics import Interval


def show(value: float) -> str:
    """A number for people: four decimals below ten, four digits above, with an exponent only from ten million on.

    >>> show(0.71234), show(36.6667), show(21038.9), show(2.10389e8), show(float("nan"))
    ('0.7123', '36.67', '21040', '2.104e+08', '-')
    """
    if value != value:
        return "-"
    if abs(value) < 10:
        return f"{value:.4f}"
    rounded = f"{value:.4g}"
    return f"{float(rounded):.0f}" if 1e4 <= abs(float(rounded)) < 1e7 else rounded


def listing(words: Sequence[str]) -> str:
    """Words as a sentence lists them.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def percent(interval: Interval) -> str:
    """A mean in percent with its interval.

    >>> percent(Interval(-1.25, -2.5, 0.0, 0.05, 3))
    '-1.25 % [-2.50, +0.00]'
    """
    ends = f" [{interval.low:+.2f}, {interval.high:+.2f}]" if interval.low == interval.low else ""
    return f"{interval.mean:+.2f} %{ends}"
