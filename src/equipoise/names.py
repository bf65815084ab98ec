"""Names as people write them."""

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence


def key_of(name: str) -> str:
    """A name without what its spellings differ in: capitals, and all that is no letter or digit.

    >>> key_of("Cross_Entropy-Loss"), key_of("nash mtl")
    ('crossentropyloss', 'nashmtl')
    """
    return re.sub(r"[\W_]+", "", name).lower()


def by_words(names: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Names by the key of each word that people have for them, of both in lists with commas.

    >>> by_words({"mae, mean absolute error": "L1Loss"})
    {'mae': ('L1Loss',), 'meanabsoluteerror': ('L1Loss',)}
    """
    return {key_of(word): tuple(found.split(", ")) for words, found in names.items() for word in words.split(", ")}


def listed(names: Sequence[object], most: int = 6) -> str:
    """The first of them, and how many more there are.

    >>> listed([0, 1, 2, 3], most=2)
    '0, 1 and 2 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more


_LISTED = 30  # names of which a message shows all


def nearest(name: str, names: Iterable[str], listing: str = "", *, common: str = "") -> str:
    """The end of an error message about an unknown name: the likely ones, or all there are, or how many.

    ``listing`` is what prints all of them, where they are too many for a message; ``common`` are letters with which all
    begin, and which say nothing about likeness.

    >>> nearest("mgd", ["mgda", "pcgrad"]), nearest("x", ["mgda", "pcgrad"]), nearest("acc", ["accuracy", "mae"])
    ("did you mean 'mgda'?", "there are 'mgda', 'pcgrad'", "did you mean 'accuracy'?")
    """
    by_lower = {name.lower().lstrip(common): name for name in names}
    matcher = difflib.SequenceMatcher(b=name.lower().lstrip(common))
    score = {}
    for lower in by_lower:
        matcher.set_seq1(lower)
        score[lower] = matcher.ratio()
    best = max(score.values(), default=0.0)
    beginning = [lower for lower in score if len(name) > 2 and lower.startswith(name.lower())]
    if near := [lower for lower in score if score[lower] == best] if best >= 0.6 else beginning[:4]:
        *others, last = [repr(by_lower[lower]) for lower in near]
        return f"did you mean {', '.join(others)} or {last}?" if others else f"did you mean {last}?"
    if len(by_lower) > _LISTED:
        return f"none of the {len(by_lower)} names is near{listing and f'; {listing} lists them'}"
    return f"there are {', '.join(map(repr, by_lower.values())) or 'none'}"


def require_unique(names: tuple[str, ...]) -> None:
    """Raise if a task name occurs twice."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"task names must be unique, got {', '.join(map(repr, twice))} more than once")
