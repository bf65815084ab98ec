"""Captions that a decoder made."""

from typing import NamedTuple

from torch import Tensor


class Decoded(NamedTuple):
    """One caption of each picture.

    Args:
        words: Numbers of words [N, T], int64; the end, and the end again after it.
        attention: The weights of places when each word was chosen [N, T, h, w]; each map sums to 1.
        log_probability: Of the caption up to its end [N].
    """

    words: Tensor
    attention: Tensor
    log_probability: Tensor
