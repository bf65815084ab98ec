"""GoEmotions: 28 imbalanced labels of a comment, some very rare, as one task or as one for each sentiment.

Demszky et al., GoEmotions: A Dataset of Fine-Grained Emotions, ACL 2020 (github.com/google-research/google-research,
goemotions/data, Apache 2.0): ``labels.txt`` names the labels, ``train.tsv``, ``dev.tsv`` and ``test.tsv`` hold a text,
the numbers of its labels, counted from 0, with commas between them, and an id.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equipoise.lab.cases.case import Case
from equipoise.lab.cases.metrics import tuned_f1
from equipoise.lab.cases.usual_losses import label_losses
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.folder import cache_folder, data_folder, data_hash
from equipoise.lab.data.sentences import encoder_files, encoder_folder, sentence_vectors
from equipoise.lab.data.text import encode, frequencies, join_padded_bags, known_words, pad_bags, tf_idf, vocabulary
from equipoise.lab.data.words import ngrams
from equipoise.lab.diagnostics import (
    Diagnostic,
    Predictions,
    cards,
    first_samples,
    label_cooccurrence,
    label_table,
    label_words,
    predicted_cooccurrence,
    worst_samples,
)
from equipoise.lab.metrics.thresholds import best_thresholds
from equipoise.lab.models.encoders import MLP, BagOfEmbeddings
from equipoise.lab.models.heads import SharedEncoder
from equipoise.names import nearest
from equipoise.task import Task
from equipoise.tasks import Tasks

SOURCE = "its files are those of github.com/google-research/google-research, goemotions/data"
FILES = {"train": "train.tsv", "validation": "dev.tsv", "test": "test.tsv"}
# The paper's sentiments; neutral is none of them.
GROUPS = {
    "positive": (
        *("admiration", "amusement", "approval", "caring", "desire", "excitement", "gratitude", "joy", "love"),
        *("optimism", "pride", "relief"),
    ),
    "negative": (
        *("anger", "annoyance", "disappointment", "disapproval", "disgust", "embarrassment", "fear", "grief"),
        *("nervousness", "remorse", "sadness"),
    ),
    "ambiguous": ("confusion", "curiosity", "realization", "surprise"),
    "neutral": ("neutral",),
}

_VOCABULARY_SIZE, _LENGTH = 20_000, 64  # n-grams: of all texts, and of a text
_WIDTH, _HIDDEN, _DROPOUT = 64, 128, 0.5
_SENTENCE_HIDDEN, _SENTENCE_DROPOUT = 512, 0.3

Texts = Mapping[str, Sequence[str]]  # by split


@dataclass(frozen=True)
class Comments:
    """N texts, and which of the L labels each has [N, L], 0 or 1, float32."""

    texts: list[str]
    labels: Tensor


def read_labels(folder: Path) -> list[str]:
    """The labels' names, in the order of their numbers.

    Raises:
        ValueError: If the file is missing, or names other labels than ``GROUPS``.
    """
    names = _lines(folder / "labels.txt")
    expected = sorted(name for group in GROUPS.values() for name in group)
    if sorted(names) != expected:
        odd = sorted(set(names) ^ set(expected)) or "a repetition"
        raise ValueError(f"{folder / 'labels.txt'} must name the 28 labels of GoEmotions, once each; differs in {odd}")
    return names


def read_comments(path: Path, num_labels: int) -> Comments:
    """The comments of a file, in its order.

    Raises:
        ValueError: If the file is missing or empty, or a line is not of the form that the module names.
    """
    lines = _lines(path)
    if not lines:
        raise ValueError(f"{path} has no comments; {SOURCE}")
    texts, labels = [], torch.zeros(len(lines), num_labels)
    for row, line in enumerate(lines):
        cells = line.split("\t")
        if len(cells) != 3:
            raise ValueError(f"{path}, line {row + 1}: must have 3 cells with tabs between them, got {len(cells)}")
        for number in cells[1].split(","):
            if not number.isdecimal() or int(number) >= num_labels:
                raise ValueError(
                    f"{path}, line {row + 1}, cell 2: must be numbers below {num_labels} with commas between them, "
                    f"got {cells[1]!r}"
                )
            labels[row, int(number)] = 1.0
        texts.append(cells[0])
    return Comments(texts, labels)


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8").removesuffix("\n")
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; {SOURCE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    return text.split("\n") if text else []  # not splitlines: a comment may hold a line separator of Unicode


@dataclass(frozen=True)
class Inputs:
    """What a network sees of comments.

    Args:
        rows: By split, what is computed from each text [N, ...].
        collate: A list of batches -> (inputs, targets by name).
        make_encoder: Makes the encoder, from inputs to the representation [N, width].
        width: Of the representation.
        learning_rate: For AdamW, as suits the encoder.
        title: A sample of the validation split in words, by its index.
        features: As ``Case`` takes them.
        files: Those that the rows depend on beside the texts, for the data's hash.
        network: As ``Case`` takes it.
        start: Likewise.
    """

    rows: Mapping[str, Tensor]
    collate: Callable[[list[Any]], tuple[Any, dict[str, Tensor]]]
    make_encoder: Callable[[], nn.Module]
    width: int
    learning_rate: float
    title: Callable[[Predictions, int], str]
    features: Callable[[str], Any]
    files: Sequence[Path] = ()
    network: str = ""
    start: str = "drawn"


def as_words(texts: Texts) -> Inputs:
    """Bags of n-grams, words and pairs of neighbouring words: the most frequent ones of the training split."""
    documents = {split: [ngrams(text) for text in part] for split, part in texts.items()}
    numbers = vocabulary(documents["train"], _VOCABULARY_SIZE)
    bags = {split: [encode(document, numbers) for document in part] for split, part in documents.items()}
    shares = frequencies(bags["train"], len(numbers))
    return Inputs(
        rows={split: pad_bags(part, _LENGTH) for split, part in bags.items()},
        collate=join_padded_bags,
        make_encoder=lambda: BagOfEmbeddings(shares, _WIDTH, _HIDDEN, _DROPOUT),
        width=_HIDDEN + _WIDTH,
        learning_rate=5e-3,
        title=lambda predictions, place: known_words(predictions.samples[place][0][0], numbers),
        features=lambda split: tf_idf(bags[split], shares),
        network="one second moment",
        start="labels",
    )


def as_sentences(texts: Texts) -> Inputs:
    """Vectors of the encoder in ``sentence-encoder/``, which is not trained, and one hidden layer.

    Raises:
        ValueError: If the folder or one of its files is missing, or transformers is.
    """
    folder = encoder_folder()
    rows = {split: sentence_vectors(part, folder, cache_folder()) for split, part in texts.items()}
    return Inputs(
        rows=rows,
        collate=join,
        make_encoder=lambda: MLP(rows["train"].shape[1], [_SENTENCE_HIDDEN], _SENTENCE_DROPOUT),
        width=_SENTENCE_HIDDEN,
        learning_rate=2e-3,
        title=lambda predictions, place: texts["validation"][place],
        features=lambda split: rows[split].numpy(),
        files=encoder_files(folder),
    )


INPUTS: Mapping[str, Callable[[Texts], Inputs]] = {"words": as_words, "sentences": as_sentences}


def goemotions(folder: Path | None = None, *, groups: bool = False, inputs: str = "words") -> Case:
    """Emotions in comments, read as bags of n-grams or as sentence vectors; the official splits.

    F1 is at thresholds that are chosen on validation, one for each label.

    Args:
        folder: Where ``train.tsv`` and the other files are; None: as ``data_folder`` finds it.
        groups: Whether positive, negative, ambiguous and neutral are a task each, or all 28 labels are one.
        inputs: "words", or "sentences" for the vectors of a frozen encoder (``equipoise.lab.data.sentences``).

    Raises:
        ValueError: If a file is missing or not as it should be, or there are no such inputs.
    """
    if inputs not in INPUTS:
        raise ValueError(f"no inputs {inputs!r}; {nearest(inputs, INPUTS)}")
    folder = data_folder("goemotions", SOURCE, folder)
    names = read_labels(folder)
    comments = {split: read_comments(folder / file, len(names)) for split, file in FILES.items()}
    features = INPUTS[inputs]({split: part.texts for split, part in comments.items()})
    task_labels: Mapping[str, Sequence[str]] = GROUPS if groups else {"emotions": names}
    columns = {task: [names.index(label) for label in labels] for task, labels in task_labels.items()}
    splits = {
        split: Arrays(
            features.rows[split],
            {task: comments[split].labels[:, of_task] for task, of_task in columns.items()},
        )
        for split in FILES
    }

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = features.make_encoder()
        heads = {task: nn.Linear(features.width, len(labels)) for task, labels in task_labels.items()}
        return SharedEncoder(encoder, {name: heads[name] for name in task_names})

    losses = {task: label_losses(labels) for task, labels in splits["train"].targets.items()}
    return Case(
        name=_name(groups, inputs),
        title="GoEmotions: 28 emotions in comments" + (", by sentiment" if groups else ""),
        tasks=Tasks([Task(task, losses[task]["bce"]()) for task in task_labels]),
        data=splits,
        collate=features.collate,
        model=make_model,
        metrics={task: tuned_f1(splits["validation"].targets[task]) for task in task_labels},
        batch_size=256,
        learning_rate=features.learning_rate,
        weight_decay=0.01,
        epochs=6,
        data_hash=data_hash([*(folder / file for file in (*FILES.values(), "labels.txt")), *features.files]),
        diagnostics=_diagnostics(task_labels, features.title),
        losses=losses,
        features=features.features,
        network=features.network,
        start=features.start,
    )


def _diagnostics(
    labels: Mapping[str, Sequence[str]], title: Callable[[Predictions, int], str]
) -> tuple[Diagnostic, ...]:
    """Of each task's labels: a table, what occurs together, and samples with their titles."""
    every = [name for names in labels.values() for name in names]
    describe = cards(
        {task: label_words(task, names, best_thresholds) for task, names in labels.items()},
        title=title,
    )
    return (
        *(label_table([task], names, best_thresholds) for task, names in labels.items()),
        label_cooccurrence(list(labels), every),
        predicted_cooccurrence(list(labels), every, best_thresholds),
        first_samples(list(labels), describe),
        *(worst_samples(task, describe) for task in labels),
    )


def _name(groups: bool, inputs: str) -> str:
    return "-".join(["goemotions", *(["groups"] * groups), *([inputs] * (inputs != "words"))])


GOEMOTIONS: Mapping[str, Callable[[], Case]] = {
    _name(groups, inputs): partial(goemotions, groups=groups, inputs=inputs)
    for groups in (False, True)
    for inputs in INPUTS
}
