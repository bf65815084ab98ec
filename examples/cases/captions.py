"""Captions: what a picture shows, as a class and in words.

    equipoise compare examples/cases/captions.py:make_case

Rendered scenes need no files. ``captions.py:flickr8k`` reads photographs, or a folder of your own in that layout.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from captioning.bleu import bleu_metrics
from captioning.decoder import CaptionDecoder
from captioning.diagnostics import captions_diagnostics
from captioning.flickr8k import SOURCE, files_of, list_captioned, read_pictures, splits_of
from captioning.network import CaptionNetwork
from captioning.vocabulary import END, PADDING, Vocabulary
from equipoise import losses
from equipoise.lab.cases.case import Case
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.usual_losses import class_losses
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.folder import data_folder, data_hash
from equipoise.lab.data.split import split_of
from equipoise.lab.data.words import words
from equipoise.lab.models.unet import ConvEncoder, PooledHead
from equipoise.task import Task
from equipoise.tasks import Tasks
from rendered import SHAPES, Scene, describe, render_scenes

SCENES, SEED = 3000, 0
_WIDTHS, _STATE, _DROPOUT = (8, 16, 48), 96, 0.1


@dataclass(frozen=True)
class Captions:
    """Pictures with their captions.

    Args:
        pictures: uint8 [N, 3, S, S].
        texts: The captions of each picture.
        classes: int64 [N], -100 where there is none; None where there are no classes at all.
        class_names: By number.
        splits: "train", "validation" or "test" for each picture.
        vocabulary: Of the training captions.
        longest: Captions are cut after this many words.
        scenes: Those of the validation split, where the pictures are scenes.
    """

    pictures: Tensor
    texts: Sequence[Sequence[str]]
    classes: Tensor | None
    class_names: Sequence[str]
    splits: Sequence[str]
    vocabulary: Vocabulary
    longest: int
    scenes: Sequence[Scene] = ()


def make_case(count: int = SCENES) -> Case:
    """Rendered scenes of 1 to 3 coloured shapes: the shape of the largest (5 classes), and five sentences each.

    Args:
        count: How many scenes; 70 / 15 / 15 percent are for training, validation and test.
    """
    scenes = render_scenes(count, SEED)
    texts = [describe(scene) for scene in scenes]
    pictures = np.stack([scene.picture for scene in scenes])
    splits = [split_of(str(number)) for number in range(count)]
    spoken = _training(texts, splits)
    return _case(
        "captions",
        "Rendered scenes: the largest shape, and a sentence",
        Captions(
            torch.from_numpy(pictures),
            texts,
            torch.tensor([scene.objects[0].shape for scene in scenes]),
            SHAPES,
            splits,
            Vocabulary(spoken),
            max(len(words(text)) for text in spoken),
            [scene for scene, split in zip(scenes, splits, strict=True) if split == "validation"],
        ),
        hashlib.sha256(pictures.tobytes() + repr(texts).encode()).hexdigest(),
    )


def flickr8k(
    folder: Path | None = None, *, size: int = 64, least: int = 5, most: int = 1000, longest: int = 20
) -> Case:
    """Photographs with captions, and with classes where ``classes.csv`` gives them; without it, captions alone.

    Args:
        folder: With ``Images/`` and ``captions.txt``; by default see ``data_folder``.
        size: Side in pixels that pictures are scaled to, a multiple of 8.
        least: Words that training captions have fewer times are unknown.
        most: At most this many words, the most frequent; evaluation holds N x 120 x this many numbers.
        longest: Captions are cut after this many words.

    Raises:
        ValueError: If a file is missing or not as it should be.
    """
    folder = data_folder("flickr8k", SOURCE, folder)
    listed = list_captioned(folder)
    splits = splits_of(listed)
    texts = [one.captions for one in listed]
    class_names = sorted({one.class_name for one in listed if one.class_name})
    number = {name: place for place, name in enumerate(class_names)}
    classes = torch.tensor([number[one.class_name] if one.class_name else PADDING for one in listed])
    return _case(
        "flickr8k",
        "Flickr8k: captions of photographs",
        Captions(
            read_pictures(listed, size),
            texts,
            classes if class_names else None,
            class_names,
            splits,
            Vocabulary(_training(texts, splits), least, most),
            longest,
        ),
        data_hash(files_of(folder, listed)),
    )


class ReferenceLoss(nn.Module):
    """Cross-entropy of the words of the references; what follows them in evaluation has no target."""

    ignore_index = PADDING

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Of logits [N, at least R T, V] and numbers of words [N, R T]."""
        return losses.sequence_cross_entropy(logits[:, : targets.shape[1]], targets, ignore_index=self.ignore_index)


def _training(texts: Sequence[Sequence[str]], splits: Sequence[str]) -> list[str]:
    return [text for several, split in zip(texts, splits, strict=True) if split == "train" for text in several]


def _case(name: str, title: str, data: Captions, digest: str) -> Case:
    numbers = data.vocabulary.numbers(data.texts, data.longest)
    labels = {} if data.classes is None else {"class": data.classes}
    every = Arrays((data.pictures, numbers), {**labels, "caption": numbers.flatten(1)})
    splits = every.by_split(data.splits)
    train, validation = splits["train"].targets, splits["validation"].targets
    known = {label: class_losses() for label in labels}
    tasks = Tasks(
        [*(Task(label, known[label]["cross-entropy"]()) for label in labels), Task("caption", ReferenceLoss())]
    )

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = ConvEncoder(_WIDTHS)
        classifier = PooledHead(_WIDTHS[-1], max(len(data.class_names), 1), _DROPOUT)
        decoder = CaptionDecoder(_WIDTHS[-1], len(data.vocabulary), END, _STATE, _DROPOUT)
        return CaptionNetwork(
            encoder, classifier if "class" in task_names else None, decoder if "caption" in task_names else None
        )

    return Case(
        name=name,
        title=title,
        tasks=tasks,
        data=splits,
        collate=join,
        model=make_model,
        metrics=make_metrics(
            tasks,
            train,
            validation,
            {
                **{label: ["accuracy", "f1-macro"] for label in labels},
                "caption": bleu_metrics(data.vocabulary, data.longest + 1, train["caption"], validation["caption"]),
            },
            sizes={label: {"num_classes": len(data.class_names)} for label in labels},
        ),
        batch_size=32,
        learning_rate=3e-3,
        weight_decay=0.01,
        epochs=10,
        data_hash=digest,
        diagnostics=captions_diagnostics(data.class_names, data.vocabulary, data.longest + 1, data.scenes),
        losses=known,
    )
