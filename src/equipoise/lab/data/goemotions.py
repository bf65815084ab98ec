"""GoEmotions: comments with 27 emotions and neutral, several at once, some of them very rare.

Demszky et al., GoEmotions: A Dataset of Fine-Grained Emotions, ACL 2020 (github.com/google-research/google-research,
goemotions/data, Apache 2.0): ``labels.txt`` names the labels, ``train.tsv``, ``dev.tsv`` and ``test.tsv`` hold a text,
the numbers of its labels with commas between them, and an id.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from equipoise.lab.data.folder import data_folder

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


@dataclass(frozen=True)
class Comments:
    """Texts, and labels [N, L], 0 or 1."""

    texts: list[str]
    labels: Tensor


def goemotions_folder(folder: Path | None = None) -> Path:
    """The folder, by default ``goemotions/`` in the folder that ``EQUIPOISE_DATA`` names.

    Raises:
        ValueError: If it is not there.
    """
    return data_folder("goemotions", SOURCE, folder)


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
        ValueError: If the file is missing or empty, or a line is not as above.
    """
    lines = _lines(path)
    if not lines:
        raise ValueError(f"{path} has no comments")
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
        # not splitlines: a comment may hold a line separator of Unicode
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise ValueError(f"{path} is missing; {SOURCE}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
