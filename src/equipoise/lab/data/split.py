"""Splits that depend on nothing but the content of a sample."""

import hashlib

SPLITS = ("train", "validation", "test")
_SHARES = (0.70, 0.15, 0.15)


def split_of(content: str, shares: tuple[float, float, float] = _SHARES) -> str:
    """The split, by default of 70 / 15 / 15 percent, that a sample with this content belongs to.

    The same content is always in the same split: whatever its neighbours, the machine or the order.

    >>> split_of("love this dress"), split_of("love this dress")
    ('train', 'train')
    """
    digest = hashlib.sha256(content.encode("utf-8")).digest()
    place = int.from_bytes(digest[:8], "big") / 2**64
    for split, share in zip(SPLITS[:-1], shares[:-1], strict=True):
        if place < share:
            return split
        place -= share
    return SPLITS[-1]
