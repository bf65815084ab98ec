"""Coffee leaves: the stress, how severe it is and where it is, from one picture.

Esgario, Krohling, Ventura, Deep Learning for Classification and Severity Estimation of Coffee Leaf Biotic Stress,
Computers and Electronics in Agriculture 2020 (github.com/esgario/lara2018, MIT), in its layout:
``segmentation/dataset/`` holds ``dataset.csv`` and, in ``images/`` and ``annotations/``, 500 whole leaves with masks;
``classification/dataset/`` holds ``dataset-full.csv`` and, in ``leaf/``, all 1,747 leaves, cropped more tightly.
A mask fits the whole leaf only, never the crop of the same number.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from equipoise import losses
from equipoise.lab.cases.case import Case
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.usual_losses import class_losses, region_losses
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.cells import filled_numbers, places
from equipoise.lab.data.folder import data_folder, data_hash
from equipoise.lab.data.pictures import read_picture
from equipoise.lab.data.split import split_of
from equipoise.lab.data.table import read_table
from equipoise.lab.diagnostics import (
    Diagnostic,
    Picture,
    Predictions,
    cards,
    class_table,
    class_words,
    coloured,
    confusion,
    first_samples,
    largest,
    level,
    overlaid,
    region_table,
    worst_samples,
    wrong_pixels,
)
from equipoise.lab.models.heads import SharedEncoder
from equipoise.lab.models.unet import ConvEncoder, MaskHead, PooledHead
from equipoise.missing import MISSING
from equipoise.task import Task
from equipoise.tasks import Tasks

STRESSES = ("healthy", "miner", "rust", "phoma", "cercospora")
SEVERITIES = 5
REGIONS: Mapping[str, tuple[int, int, int]] = {"background": (0, 0, 0), "leaf": (0, 176, 0), "symptom": (255, 0, 0)}
SOURCE = "it has the layout of github.com/esgario/lara2018"
_SPLIT_FOLDERS = {"train": "train", "val": "validation", "test": "test"}
_UNDETERMINED = "5"
_HEIGHT, _WIDTHS, _DROPOUT = 32, (16, 32, 64), 0.2
_LEAKY = partial(nn.LeakyReLU, 0.1)
_LEVELS = tuple(map(str, range(SEVERITIES)))
_COLOURS = tuple(REGIONS.values())
_LEGEND = "In a mask the leaf is green and the symptom red; pixels that are predicted wrongly are yellow."


@dataclass(frozen=True)
class Leaf:
    """One leaf: files, and labels as the table has them; ``mask`` is None where nobody drew one."""

    picture: Path
    mask: Path | None
    split: str
    stress: int
    severity: int


def list_leaves(folder: Path, *, all_pictures: bool = False) -> list[Leaf]:
    """The leaves with masks, in their official splits, in the order of their numbers.

    Args:
        folder: That of ``segmentation/`` and ``classification/``.
        all_pictures: Also the crops of all other leaves, without masks, in random splits.

    Raises:
        ValueError: If a file is missing, or a table is not as it should be.
    """
    drawn = folder / "segmentation" / "dataset"
    labels = _labels(drawn / "dataset.csv")
    leaves: dict[int, Leaf] = {}
    for number, split, picture in _numbered(drawn / "images"):
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


def _numbered(images: Path) -> Iterator[tuple[int, str, Path]]:
    """Number, split and file of every picture in the folders of the splits."""
    for name, split in _SPLIT_FOLDERS.items():
        paths = sorted((images / name).glob("*.jpg"))
        if not paths:
            raise ValueError(f"{images / name} holds no pictures; {SOURCE}")
        for path in paths:
            if not path.stem.isdecimal():
                raise ValueError(f"{path}: must be called by a leaf's number, like 12.jpg")
            yield int(path.stem), split, path


def coffee_leaf(folder: Path | None = None, *, all_pictures: bool = False, height: int = _HEIGHT) -> Case:
    """Leaves through a small U-Net: stress (5 classes), severity (levels 0 to 4) and mask (3 regions).

    Args:
        folder: In the layout of esgario/lara2018; by default see ``data_folder``.
        all_pictures: Whether to train and test on all 1,747 leaves, of which 500 have masks, or on these only.
        height: Of a picture in pixels, 4 or more; it is twice as wide. Twice the height costs four times as much.

    Raises:
        ValueError: If a file is missing or not as it should be, or the height is less.
    """
    if height < 4:
        raise ValueError(f"height must be 4 or more, got {height}: the network halves it twice")
    folder = data_folder("coffee-leaf", SOURCE, folder)
    leaves = list_leaves(folder, all_pictures=all_pictures)
    every = Arrays(
        read_pictures(leaves, height, 2 * height),
        {
            "stress": torch.tensor([leaf.stress for leaf in leaves]),
            "severity": torch.tensor([leaf.severity for leaf in leaves]),
            "mask": read_masks(leaves, height, 2 * height),
        },
    )
    splits = every.by_split([leaf.split for leaf in leaves])
    known = {"stress": class_losses(), "mask": region_losses()}
    tasks = Tasks(
        [
            Task("stress", known["stress"]["cross-entropy"]()),
            Task("severity", losses.CoralLoss()),
            Task("mask", known["mask"]["cross-entropy-dice"]()),
        ]
    )
    return Case(
        name="coffee-leaf" + "-all" * all_pictures + f"-{height}" * (height != _HEIGHT),
        title="Coffee leaves: stress, severity and mask from a picture",
        tasks=tasks,
        data=splits,
        collate=join,
        model=make_model,
        metrics=make_metrics(
            tasks,
            splits["train"].targets,
            splits["validation"].targets,
            {
                "stress": ["accuracy", "f1-macro"],
                "severity": ["level-mae-cumulative", "within-one-level-cumulative"],
                "mask": ["miou", "accuracy"],
            },
            sizes={"stress": {"num_classes": len(STRESSES)}, "mask": {"num_classes": len(REGIONS)}},
        ),
        batch_size=32,
        learning_rate=2e-3,
        weight_decay=0.01,
        epochs=15,
        patience=15,  # fifty pictures in validation
        data_hash=data_hash(files_of(folder, leaves)),
        diagnostics=_diagnostics(),
        losses=known,
    )


def make_model(task_names: Sequence[str]) -> nn.Module:
    """A small U-Net; stress and severity are read at its deepest scale."""
    encoder = ConvEncoder(_WIDTHS)
    heads = {
        "stress": PooledHead(_WIDTHS[-1], len(STRESSES), _DROPOUT),
        "severity": PooledHead(_WIDTHS[-1], SEVERITIES - 1, _DROPOUT),
        "mask": MaskHead(_WIDTHS, len(REGIONS), _LEAKY),
    }
    return SharedEncoder(encoder, {name: heads[name] for name in task_names})


def _diagnostics() -> tuple[Diagnostic, ...]:
    """Of stress, severity and mask."""
    severity, regions = level("cumulative"), tuple(REGIONS)
    describe = cards(
        {
            "stress": class_words("stress", STRESSES, largest),
            "severity": class_words("severity", _LEVELS, severity),
        },
        title=lambda seen, place: f"leaf {place + 1} of the split",
        pictures=_pictures,
    )
    return (
        confusion("stress", STRESSES, largest, "leaves"),
        class_table("stress", STRESSES, largest, "leaves"),
        confusion("severity", _LEVELS, severity, "leaves"),
        confusion("mask", regions, largest, "pixels"),
        region_table("mask", regions),
        first_samples(("mask",), describe, legend=_LEGEND),
        *(worst_samples(task, describe, legend=_LEGEND) for task in ("stress", "severity", "mask")),
    )


def _pictures(seen: Predictions, place: int) -> tuple[Picture, ...]:
    """The leaf, and over it the true and the predicted mask as far as there are such."""
    leaf = seen.inputs([place])[0].movedim(0, 2)
    pictures = [Picture.of(leaf, "the leaf")]
    if "mask" in seen.tasks.names:
        true, predicted = seen.targets["mask"][place], seen.outputs["mask"][place].argmax(dim=0)
        if (true != MISSING).any():
            pictures.append(Picture.of(overlaid(leaf, coloured(true, _COLOURS)), "true mask"))
        pictures.append(Picture.of(overlaid(leaf, coloured(predicted, _COLOURS)), "predicted mask"))
        if (true != MISSING).any():
            pictures.append(Picture.of(wrong_pixels(leaf, predicted, true), "wrong pixels"))
    return tuple(pictures)


coffee_leaf_all = partial(coffee_leaf, all_pictures=True)
