"""Pictures of coffee leaves: the stress on a leaf, how severe it is, and where.

Esgario, Krohling, Ventura, Deep Learning for Classification and Severity Estimation of Coffee Leaf Biotic Stress,
Computers and Electronics in Agriculture 2020 (github.com/esgario/lara2018, MIT), in its layout:
``segmentation/dataset/`` holds ``dataset.csv`` and, in ``images/`` and ``annotations/``, 500 whole leaves with masks;
``classification/dataset/`` holds ``dataset-full.csv`` and, in ``leaf/``, all 1,747 leaves, cropped more tightly.
A mask fits the whole leaf only, never the crop of the same number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from equipoise.lab.data.cells import filled_numbers, places
from equipoise.lab.data.folder import data_folder
from equipoise.lab.data.pictures import read_picture
from equipoise.lab.data.split import split_of
from equipoise.lab.data.table import read_table
from equipoise.missing import MISSING

STRESSES = ("healthy", "miner", "rust", "phoma", "cercospora")
SEVERITIES = 5
REGIONS: Mapping[str, tuple[int, int, int]] = {"background": (0, 0, 0), "leaf": (0, 176, 0), "symptom": (255, 0, 0)}
SOURCE = "it has the layout of github.com/esgario/lara2018"
_SPLIT_FOLDERS = {"train": "train", "val": "validation", "test": "test"}
_UNDETERMINED = "5"


@dataclass(frozen=True)
class Leaf:
    """One leaf: files, and labels as the table has them; ``mask`` is None where nobody drew one."""

    picture: Path
    mask: Path | None
    split: str
    stress: int
    severity: int


def coffee_leaf_folder(folder: Path | None = None) -> Path:
    """The folder, by default ``coffee-leaf/`` in the folder that ``EQUIPOISE_DATA`` names.

    Raises:
        ValueError: If it is not there.
    """
    return data_folder("coffee-leaf", SOURCE, folder)


def list_leaves(folder: Path, *, all_pictures: bool = False) -> list[Leaf]:
    """The leaves with masks, in their official splits, in the order of their numbers.

    Args:
        folder: As above.
        all_pictures: Also the crops of all other leaves, without masks, in random splits.

    Raises:
        ValueError: If a file is missing, or a table is not as it should be.
    """
    drawn = folder / "segmentation" / "dataset"
    labels = _labels(drawn / "dataset.csv")
    leaves: dict[int, Leaf] = {}
    for number, split, picture in _pictures(drawn / "images"):
        if number not in labels:
            raise ValueError(f"{picture}: {drawn / 'dataset.csv'} has no row with id {number}")
        mask = drawn / "annotations" / picture.parent.name / f"{number}_mask.png"
        leaves[number] = Leaf(picture, mask, split, *labels[number])
    if all_pictures:
        cropped = folder / "classification" / "dataset"
        for number, label in _labels(cropped / "dataset-full.csv").items():
            if number not in leaves:
                leaves[number] = Leaf(cropped / "leaf" / f"{number}.jpg", None, split_of(str(number)), *label)
    for leaf in leaves.values():
        for path in (leaf.picture, leaf.mask):
            if path is not None and not path.is_file():
                raise ValueError(f"{path} is missing; {SOURCE}")
    return [leaves[number] for number in sorted(leaves)]


def files_of(folder: Path, leaves: Sequence[Leaf]) -> list[Path]:
    """All files that the leaves come from: pictures, masks and tables."""
    tables = {folder / "segmentation" / "dataset" / "dataset.csv"}
    if any(leaf.mask is None for leaf in leaves):
        tables.add(folder / "classification" / "dataset" / "dataset-full.csv")
    files = [path for leaf in leaves for path in (leaf.picture, leaf.mask) if path is not None]
    return [*sorted(tables), *files]


def read_pictures(leaves: Sequence[Leaf], height: int, width: int) -> Tensor:
    """The pictures [N, 3, height, width], uint8.

    Raises:
        ValueError: If a file is no picture.
    """
    return torch.stack([torch.from_numpy(read_picture(leaf.picture, height, width)).movedim(2, 0) for leaf in leaves])


def read_masks(leaves: Sequence[Leaf], height: int, width: int) -> Tensor:
    """The places in ``REGIONS`` [N, height, width], int64; -100 all over where there is no mask.

    Raises:
        ValueError: If a file is no picture, or holds another colour.
    """
    masks = torch.full((len(leaves), height, width), MISSING)
    for mask, leaf in zip(masks, leaves, strict=True):
        if leaf.mask is not None:
            pixels = torch.from_numpy(read_picture(leaf.mask, height, width, nearest=True))
            for region, colour in enumerate(REGIONS.values()):
                mask[(pixels == torch.tensor(colour)).all(dim=2)] = region
            if (mask == MISSING).any():
                other = tuple(pixels[mask == MISSING][0].tolist())
                raise ValueError(f"{leaf.mask}: must have the colours {dict(REGIONS)}, got {other}")
    return masks


def _labels(path: Path) -> dict[int, tuple[int, int]]:
    """Stress and severity by the leaf's number; an undetermined stress is -100."""
    table = read_table(path)
    numbers = filled_numbers(table, "id").int().tolist()
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"{path}, column 'id': must be unique")
    codes = (*map(str, range(len(STRESSES))), _UNDETERMINED)
    stress = places(table, "predominant_stress", codes)
    stress[stress == len(STRESSES)] = MISSING
    severity = places(table, "severity", tuple(map(str, range(SEVERITIES))))
    return dict(zip(numbers, zip(stress.tolist(), severity.tolist(), strict=True), strict=True))


def _pictures(images: Path) -> Iterator[tuple[int, str, Path]]:
    """Number, split and file of every picture in the folders of the splits."""
    for name, split in _SPLIT_FOLDERS.items():
        paths = sorted((images / name).glob("*.jpg"))
        if not paths:
            raise ValueError(f"{images / name} holds no pictures; {SOURCE}")
        for path in paths:
            if not path.stem.isdecimal():
                raise ValueError(f"{path}: must be called by a leaf's number, like 12.jpg")
            yield int(path.stem), split, path
