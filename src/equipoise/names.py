"""Names as people write them."""

import re


def key_of(name: str) -> str:
    """A name without what its spellings differ in: capitals, and all that is no letter or digit.

    >>> key_of("Cross_Entropy-Loss"), key_of("nash mtl")
    ('crossentropyloss', 'nashmtl')
    """
    return re.sub(r"[\W_]+", "", name).lower()
