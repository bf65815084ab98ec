"""Names as people write them."""

import difflib
import re
from collections.abc import Iterable


def key_of(name: str) -> str:
    """A name without what its spellings differ in: capitals, and all that is no letter or digit.

    >>> key_of("Cross_Entropy-Loss"), key_of("nash mtl")
    ('crossentropyloss', 'nashmtl')
    """
    return re.sub(r"[\W_]+", "", name).lower()


def nearest(name: str, names: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the likely one, or all there are."""
    names = tuple(names)
    by_lower = {name.lower(): name for name in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f"did you mean {by_lower[close[0]]!r}?" if close else f"there are {', '.join(map(repr, names)) or 'none'}"


def require_unique(names: tuple[str, ...]) -> None:
    """Raise if a task name occurs twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"task names must be unique, got {', '.join(map(repr, twice))} more than once")
