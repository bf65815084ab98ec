"""Numbers, lists and sentences as people read them."""

from collections.abc import Callable, Sequence

from equipoise.lab.evaluation.statistics import Interval

MOST_WORDS = 25  # of a sentence


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


def counted(count: int, what: str) -> str:
    """A number of things, in the singular where it is one.

    >>> counted(1, "comparison"), counted(12_000, "comparison")
    ('1 comparison', '12,000 comparisons')
    """
    return f"{count:,} {what}{'s' * (count != 1)}"


def all_of(count: int, what: str) -> str:
    """Every thing of so many.

    >>> all_of(1, "comparison"), all_of(12, "comparison")
    ('the one comparison', 'all 12 comparisons')
    """
    return f"the one {what}" if count == 1 else f"all {counted(count, what)}"


def of_seeds(seeds: Sequence[int]) -> str:
    """Seeds by their numbers.

    >>> of_seeds([3]), of_seeds([0, 2, 4])
    ('seed 3', 'seeds 0, 2 and 4')
    """
    return f"seed{'s' * (len(seeds) != 1)} {listing([str(seed) for seed in seeds])}"


def give_minutes(minutes: float) -> str:
    """So many, in words.

    >>> give_minutes(0.4), give_minutes(1.2), give_minutes(14.4), give_minutes(150.0)
    ('less than a minute', 'about 1 minute', 'about 14 minutes', 'about 2.5 hours')
    """
    if minutes < 0.75:
        return "less than a minute"
    if minutes >= 100:
        return f"about {minutes / 60:.2g} hours"
    return f"about {minutes:.0f} minute{'s' * (round(minutes) != 1)}"


def fitting(*candidates: str) -> str:
    """The first sentence of at most 25 words; the last one where none has, which should hold no names.

    >>> fitting("word " * 26, "In short.")
    'In short.'
    """
    return next((one for one in candidates if len(one.split()) <= MOST_WORDS), candidates[-1])


def percent(interval: Interval) -> str:
    """A mean in percent with its interval.

    >>> percent(Interval(-1.25, -2.5, 0.0, 0.05, 3))
    '-1.25 % [-2.50, +0.00]'
    """
    mean, *ends = with_interval(interval, "{:+.2f}".format).split(" ", 1)
    return " ".join([f"{mean} %", *ends])


def signed(value: float, form: Callable[[float], str] = show) -> str:
    """A number with its sign, its size as ``form`` writes it.

    >>> signed(0.5), signed(-0.5, "{:.1f}".format)
    ('+0.5000', '-0.5')
    """
    return f"{'-' if value < 0 else '+'}{form(abs(value))}"


def with_interval(interval: Interval, form: Callable[[float], str] = signed) -> str:
    """A mean with its interval, if it has one.

    >>> with_interval(Interval(-1.25, -2.5, 0.0, 0.05, 3), "{:+.2f}".format)
    '-1.25 [-2.50, +0.00]'
    """
    known = interval.low == interval.low
    return f"{form(interval.mean)}{f' [{form(interval.low)}, {form(interval.high)}]' if known else ''}"
