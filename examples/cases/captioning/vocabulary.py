"""Captions as numbers of words."""

from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from equipoise.lab.data.words import words

END, UNKNOWN = 0, 1  # what ends a caption; a word that is not in the vocabulary
PADDING = -100  # what follows the end
_ENDED, UNKNOWN_WORD = "<end>", "<unk>"


class Vocabulary:
    """The words that occur often enough, in the order of the alphabet, after what ends a caption and the unknown.

    Args:
        captions: Those of the training split, and no others.
        least: Words seen fewer times are unknown.
        size: At most this many words, the most frequent; None: all.

    >>> vocabulary = Vocabulary(["A dog.", "a dog runs"], least=2)
    >>> vocabulary.words
    ('<end>', '<unk>', 'a', 'dog')
    >>> vocabulary.numbers([["A dog runs!"], ["a", "dog"]], longest=2)
    tensor([[[   2,    3,    0],
             [-100, -100, -100]],
    <BLANKLINE>
            [[   2,    0, -100],
             [   3,    0, -100]]])
    """

    def __init__(self, captions: Iterable[str], least: int = 1, size: int | None = None) -> None:
        counts = Counter(word for caption in captions for word in words(caption))
        often = sorted((word for word in counts if counts[word] >= least), key=lambda word: (-counts[word], word))
        self.words = (_ENDED, UNKNOWN_WORD, *sorted(often[:size]))
        self._number = {word: number for number, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def numbers(self, captions: Sequence[Sequence[str]], longest: int) -> Tensor:
        """The captions of N pictures, at most R each [N, R, longest + 1], int64; ``PADDING`` where nothing is.

        Args:
            captions: Of each picture, one or more.
            longest: A caption is cut after this many words.
        """
        rows = torch.full((len(captions), max(map(len, captions)), longest + 1), PADDING)
        for picture, several in enumerate(captions):
            for place, caption in enumerate(several):
                known = [self._number.get(word, UNKNOWN) for word in words(caption)[:longest]]
                rows[picture, place, : len(known) + 1] = torch.tensor([*known, END])
        return rows

    def text(self, numbers: Sequence[int], unknown: str = UNKNOWN_WORD) -> str:
        """The words of one caption up to its end or its padding.

        Args:
            numbers: Of the words.
            unknown: What stands for a word that is not in the vocabulary.
        """
        found = []
        for number in numbers:
            if number in (END, PADDING):
                break
            found.append(unknown if number == UNKNOWN else self.words[number])
        return " ".join(found)
