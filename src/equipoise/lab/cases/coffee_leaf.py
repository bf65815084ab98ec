"""Coffee leaves: the stress, how severe it is and where it is, from one picture."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import torch
from torch import nn

from equipoise import losses
from equipoise.lab.cases.case import Case
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.usual_losses import class_losses, region_losses
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.coffee_leaf import (
    REGIONS,
    SEVERITIES,
    STRESSES,
    coffee_leaf_folder,
    files_of,
    list_leaves,
    read_masks,
    read_pictures,
)
from equipoise.lab.data.folder import data_hash
from equipoise.lab.data.split import SPLITS
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
    worst_samples,
)
from equipoise.lab.models.heads import SharedEncoder
from equipoise.lab.models.unet import ConvEncoder, MaskHead, PooledHead
from equipoise.missing import MISSING
from equipoise.tasks import Task, Tasks

_HEIGHT, _WIDTH, _WIDTHS, _DROPOUT = 32, 64, (16, 32, 64), 0.2
_LEVELS = tuple(map(str, range(SEVERITIES)))
_COLOURS = tuple(REGIONS.values())
_LEGEND = "In a mask the leaf is green and the symptom red."


def coffee_leaf(folder: Path | None = None, *, all_pictures: bool = False) -> Case:
    """Leaves at 32x64 pixels through a small U-Net: stress (5 classes), severity (levels 0 to 4) and mask (3 regions).

    Args:
        folder: In the layout of esgario/lara2018; by default see ``data_folder``.
        all_pictures: Whether to train and test on all 1,747 leaves, of which 500 have masks, or on these only.

    Raises:
        ValueError: If a file is missing or not as it should be.
    """
    folder = coffee_leaf_folder(folder)
    leaves = list_leaves(folder, all_pictures=all_pictures)
    every = Arrays(
        read_pictures(leaves, _HEIGHT, _WIDTH),
        {
            "stress": torch.tensor([leaf.stress for leaf in leaves]),
            "severity": torch.tensor([leaf.severity for leaf in leaves]),
            "mask": read_masks(leaves, _HEIGHT, _WIDTH),
        },
    )
    splits = {split: every.where(torch.tensor([leaf.split == split for leaf in leaves])) for split in SPLITS}
    known = {"stress": class_losses(), "mask": region_losses()}
    tasks = Tasks(
        [
            Task("stress", known["stress"]["cross-entropy"]()),
            Task("severity", losses.CoralLoss()),
            Task("mask", known["mask"]["cross-entropy-dice"]()),
        ]
    )
    return Case(
        name="coffee-leaf-all" if all_pictures else "coffee-leaf",
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
        "mask": MaskHead(_WIDTHS, len(REGIONS)),
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
        class_table("mask", regions, largest, "pixels"),
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
    return tuple(pictures)


coffee_leaf_all = partial(coffee_leaf, all_pictures=True)
