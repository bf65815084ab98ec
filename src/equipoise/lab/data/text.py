"""Text as bags of numbers, one for each n-gram."""

from equipoise.lab import extra  # noqa: F401

# isort: split
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from equipoise.lab.data.arrays import Rows, join


def vocabulary(documents: Iterable[Sequence[str]], size: int) -> dict[str, int]:
    """Numbers 0 … size-1 for the most frequent n-grams; among equals the alphabet decides."""
    counts = Counter(ngram for document in documents for ngram in document)
    ranked = sorted(counts, key=lambda ngram: (-counts[ngram], ngram))
    return {ngram: number for number, ngram in enumerate(ranked[:size])}


def encode(document: Sequence[str], numbers: Mapping[str, int]) -> Tensor:
    """The numbers [L] of a document's n-grams, int64; what is not in the vocabulary is left out."""
    return torch.tensor([numbers[ngram] for ngram in document if ngram in numbers], dtype=torch.int64)


def frequencies(bags: Sequence[Tensor], size: int) -> Tensor:
    """The share of documents in which each n-gram occurs [size], of bags of their numbers [L_i], float32.

    >>> frequencies([torch.tensor([0, 1, 1]), torch.tensor([0])], size=2)
    tensor([1.0000, 0.5000])
    """
    occurs = [bag.unique() for bag in bags]
    return torch.bincount(torch.cat(occurs), minlength=size).float() / len(bags)


def join_bags(bags: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Bags [L_i] end to end [sum L_i], and where each begins [N]: what ``nn.EmbeddingBag`` takes."""
    lengths = torch.tensor([0, *map(len, bags[:-1])])
    return torch.cat(list(bags)), lengths.cumsum(0)


class Bags:
    """Bags of numbers, [L_n] of row n; chosen rows of it come as ``join_bags`` makes them.

    >>> Bags([torch.tensor([5, 7]), torch.tensor([2])])[torch.tensor([1, 0])]
    (tensor([2, 5, 7]), tensor([0, 1]))
    """

    def __init__(self, bags: Iterable[Tensor]) -> None:
        self.bags = tuple(bags)

    def __len__(self) -> int:
        return len(self.bags)

    def __getitem__(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        return join_bags([self.bags[row] for row in chosen.tolist()])


def tf_idf(bags: Sequence[Tensor], shares: Tensor) -> csr_array:
    """Bags of numbers [L_n] as rows [N, V] of norm 1 with entries (1 + ln count) (1 - ln share), 0 where none is.

    Args:
        bags: Of each row.
        shares: Of the training rows with each number [V], above 0.

    >>> tf_idf([torch.tensor([1, 1]), torch.tensor([], dtype=torch.int64)], torch.tensor([0.5, 1.0])).toarray()
    array([[0., 1.],
           [0., 0.]])
    """
    rows = torch.arange(len(bags)).repeat_interleave(torch.tensor([len(bag) for bag in bags]))
    counts = csr_array((np.ones(len(rows)), (rows.numpy(), torch.cat([*bags]).numpy())), (len(bags), len(shares)))
    entries = (1 + np.log(counts.data)) * (1 - np.log(shares.double().numpy()))[counts.indices]
    of_row = np.repeat(np.arange(len(bags)), np.diff(counts.indptr))
    norms = np.sqrt(np.bincount(of_row, entries**2, minlength=len(bags)))
    return csr_array((entries / norms[of_row], counts.indices, counts.indptr), counts.shape)


def pad_bags(bags: Sequence[Tensor], length: int) -> Tensor:
    """Bags as rows [N, length], each cut after ``length`` numbers, -1 after its end."""
    rows = torch.full((len(bags), length), -1)
    for row, bag in zip(rows, bags, strict=True):
        row[: len(bag)] = bag[:length]
    return rows


def bags_of(rows: Tensor) -> tuple[Tensor, Tensor]:
    """What ``join_bags`` makes of the bags in rows as ``pad_bags`` makes them.

    >>> bags_of(torch.tensor([[5, 7, -1], [-1, -1, -1], [2, -1, -1]]))
    (tensor([5, 7, 2]), tensor([0, 2, 2]))
    """
    there = rows >= 0
    lengths = there.sum(dim=1)
    return rows[there], lengths.cumsum(0) - lengths


def join_padded_bags(batches: Sequence[Rows]) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
    """The ``collate`` of ``Arrays`` whose inputs are bags in rows: the bags as ``nn.EmbeddingBag`` takes them."""
    rows, targets = join(batches)
    assert isinstance(rows, Tensor)
    return bags_of(rows), targets


def known_words(bag: Tensor, numbers: Mapping[str, int]) -> str:
    """The words of a document whose n-grams have these numbers [L], in order; words without a number are lost.

    >>> known_words(torch.tensor([1, 0, 2, -1]), {"small": 0, "too": 1, "too small": 2})
    'too small'
    """
    ngrams = list(numbers)
    return " ".join(ngrams[i] for i in bag.tolist() if i >= 0 and " " not in ngrams[i])
