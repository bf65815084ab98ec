"""Pictures with several captions each, in the layout in which Flickr8k is passed on.

Hodosh, Young, Hockenmaier, Framing Image Description as a Ranking Task, Journal of Artificial Intelligence Research
2013; as packed on Kaggle (adityajn105/flickr8k): pictures in ``Images/``, and ``captions.txt``, comma-separated with
the header ``image,caption`` and five rows for each picture. Flickr8k has no classes. Where a file ``classes.csv`` with
the header ``image,class`` lies beside, it gives them; a picture that it lacks, or whose cell is empty, has none.
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from equipoise.lab.data.pictures import read_picture, write_jpeg
from equipoise.lab.data.split import split_of
from equipoise.lab.data.table import parse_table
from equipoise.lab.data.words import words
from rendered import SHAPES, Scene, describe

SOURCE = "Flickr8k is passed on at kaggle.com/datasets/adityajn105/flickr8k: Images/ and captions.txt"
IMAGES, CAPTIONS, CLASSES = "Images", "captions.txt", "classes.csv"


@dataclass(frozen=True)
class Captioned:
    """A picture's file, its captions as they are written, and its class, None where nobody gave one."""

    picture: Path
    captions: tuple[str, ...]
    class_name: str | None


def list_captioned(folder: Path) -> list[Captioned]:
    """The pictures that have captions, in the order of their names; a file in ``Images/`` without one is left out.

    Raises:
        ValueError: If a file is missing, a caption has no words, or a picture has two classes.
    """
    captions: dict[str, list[str]] = {}
    for row, (image, caption) in _rows(folder / CAPTIONS, "caption"):
        if image not in captions and not (folder / IMAGES / image).is_file():
            raise ValueError(f"{folder / CAPTIONS}, row {row}: there is no picture {IMAGES}/{image}; {SOURCE}")
        if not words(caption):
            raise ValueError(f"{folder / CAPTIONS}, row {row}: the caption {caption!r} has no words")
        captions.setdefault(image, []).append(caption)
    classes = _classes(folder / CLASSES, captions) if (folder / CLASSES).is_file() else {}
    return [
        Captioned(folder / IMAGES / image, tuple(captions[image]), classes.get(image) or None)
        for image in sorted(captions)
    ]


def files_of(folder: Path, pictures: Sequence[Captioned]) -> list[Path]:
    """All files that the pictures and their labels come from."""
    tables = [folder / name for name in (CAPTIONS, CLASSES) if (folder / name).is_file()]
    return [*tables, *(one.picture for one in pictures)]


def splits_of(pictures: Sequence[Captioned]) -> list[str]:
    """The split of each, 70 / 15 / 15 percent, by the bytes of its file: all captions of a picture are in one."""
    return [split_of(hashlib.sha256(one.picture.read_bytes()).hexdigest()) for one in pictures]


def read_pictures(pictures: Sequence[Captioned], size: int) -> Tensor:
    """All of them scaled to squares, uint8 [N, 3, size, size].

    Raises:
        ValueError: If a file is no picture.
    """
    return torch.stack([torch.from_numpy(read_picture(one.picture, size, size)).movedim(2, 0) for one in pictures])


def write_scenes(scenes: Sequence[Scene], folder: Path) -> None:
    """Write scenes in this layout; the class of each is the shape of its largest thing.

    Args:
        scenes: At most 100,000.
        folder: Made if need be; files of the same names are replaced.

    Raises:
        ValueError: If Pillow is not installed.
    """
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    names = [f"scene-{number:05d}.jpg" for number in range(len(scenes))]
    for name, scene in zip(names, scenes, strict=True):
        write_jpeg(scene.picture.transpose(1, 2, 0), folder / IMAGES / name)
    described = zip(names, scenes, strict=True)
    _write(folder / CAPTIONS, "caption", [(name, text) for name, scene in described for text in describe(scene)])
    shapes = [SHAPES[scene.objects[0].shape] for scene in scenes]
    _write(folder / CLASSES, "class", list(zip(names, shapes, strict=True)))


def _rows(path: Path, column: str) -> "enumerate[tuple[str, str]]":
    """(image, cell) of every row, numbered as in the file."""
    if not path.is_file():
        raise ValueError(f"{path} is missing; {SOURCE}")
    table = parse_table(path.name, path.read_bytes())
    return enumerate(zip(table.cells("image"), table.cells(column), strict=True), table.first_row)


def _classes(path: Path, known: dict[str, list[str]]) -> dict[str, str]:
    classes: dict[str, str] = {}
    for row, (image, name) in _rows(path, "class"):
        if image not in known:
            raise ValueError(f"{path}, row {row}: {CAPTIONS} has no picture {image!r}")
        if image in classes:
            raise ValueError(f"{path}, row {row}: a second class for {image!r}")
        classes[image] = name
    return classes


def _write(path: Path, column: str, rows: Sequence[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", column), *rows])
