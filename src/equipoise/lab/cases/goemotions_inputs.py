"""What a network sees of a comment: its words, or the vector of a frozen sentence encoder."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.lab.data.arrays import Rows, join
from equipoise.lab.data.cache import cache_folder
from equipoise.lab.data.sentences import encoder_files, encoder_folder, sentence_vectors
from equipoise.lab.data.text import bags_of, encode, known_words, ngrams, pad_bags, vocabulary
from equipoise.lab.diagnostics import Predictions
from equipoise.lab.models.encoders import MLP, BagOfEmbeddings

_VOCABULARY_SIZE, _LENGTH, _WIDTH, _HIDDEN, _DROPOUT = 20_000, 64, 64, 128, 0.3
_SENTENCE_HIDDEN = 512

Texts = Mapping[str, Sequence[str]]  # by split


@dataclass(frozen=True)
class Inputs:
    """Comments as numbers.

    Args:
        rows: By split [N, ...].
        collate: A list of batches -> (inputs, targets).
        make_encoder: From inputs to the representation [N, width].
        width: See there.
        learning_rate: That suits the encoder.
        title: Of a sample, in words.
        files: What the numbers depend on beside the texts.
    """

    rows: Mapping[str, Tensor]
    collate: Callable[[list[Any]], tuple[Any, dict[str, Tensor]]]
    make_encoder: Callable[[], nn.Module]
    width: int
    learning_rate: float
    title: Callable[[Predictions, int], str]
    files: Sequence[Path] = ()


def as_words(texts: Texts) -> Inputs:
    """Bags of words and pairs of words, of the most frequent ones of the training split."""
    documents = {split: [ngrams(text) for text in part] for split, part in texts.items()}
    numbers = vocabulary(documents["train"], _VOCABULARY_SIZE)
    return Inputs(
        {
            split: pad_bags([encode(document, numbers) for document in part], _LENGTH)
            for split, part in documents.items()
        },
        _join_bags,
        lambda: BagOfEmbeddings(len(numbers), _WIDTH, _HIDDEN, _DROPOUT),
        _HIDDEN,
        5e-3,
        lambda seen, place: known_words(seen.samples[place][0][0], numbers),
    )


def as_sentences(texts: Texts) -> Inputs:
    """Vectors of the encoder in ``sentence-encoder/``, which is not trained, and one hidden layer.

    Raises:
        ValueError: If the folder or one of its files is missing, or transformers is.
    """
    folder = encoder_folder()
    rows = {split: sentence_vectors(part, folder, cache_folder()) for split, part in texts.items()}
    return Inputs(
        rows,
        join,
        lambda: MLP(rows["train"].shape[1], [_SENTENCE_HIDDEN], _DROPOUT),
        _SENTENCE_HIDDEN,
        2e-3,
        lambda seen, place: texts["validation"][place],
        encoder_files(folder),
    )


INPUTS: Mapping[str, Callable[[Texts], Inputs]] = {"words": as_words, "sentences": as_sentences}


def _join_bags(batches: list[Rows]) -> tuple[tuple[Tensor, Tensor], dict[str, Tensor]]:
    """One batch: the bags as ``nn.EmbeddingBag`` takes them, the targets stacked."""
    rows, targets = join(batches)
    assert isinstance(rows, torch.Tensor)
    return bags_of(rows), targets
