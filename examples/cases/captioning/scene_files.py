"""Scenes as files, in the layout of Flickr8k."""

import csv
from collections.abc import Sequence
from pathlib import Path

from captioning.flickr8k import CAPTIONS, CLASSES, IMAGES
from equipoise.lab.data.pictures import write_jpeg
from rendered.describe import describe
from rendered.render import Scene
from rendered.shapes import SHAPES


def write_scenes(scenes: Sequence[Scene], folder: Path) -> None:
    """Write ``Images/*.jpg``, ``captions.txt``, and ``classes.csv`` with the shape of each scene's largest thing.

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


def _write(path: Path, column: str, rows: Sequence[tuple[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("image", column), *rows])
