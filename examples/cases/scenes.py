"""Scenes: which shapes a picture shows, where, and which pixels are theirs; a detector whose losses are tasks.

equipoise compare examples/cases/scenes.py:make_case
"""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from detecting.centres import centre_maps
from detecting.detector import Detector, HeatHead, SidesHead
from detecting.diagnostics import scenes_diagnostics
from detecting.metrics import box_metric, found_metrics
from equipoise import losses
from equipoise.lab.cases.case import Case
from equipoise.lab.cases.metrics import make_metrics
from equipoise.lab.cases.usual_losses import region_losses
from equipoise.lab.data.arrays import Arrays, join
from equipoise.lab.data.split import SPLITS
from equipoise.lab.models.unet import ConvEncoder, MaskHead
from equipoise.task import Task
from equipoise.tasks import Tasks
from rendered import SHAPES, Scene, render_scenes

STRIDE = 4  # pixels along the side of a cell
_COUNTS = {"train": 800, "validation": 250, "test": 250}
_WIDTHS, _CELLS = (8, 16, 32, 64), 2  # the scale at which a pixel is a cell
_CLASSES = len(SHAPES)
_LEAKY = partial(nn.LeakyReLU, 0.1)  # behind a ReLU the few channels at full size were all 0 wherever some shapes are


def make_case(counts: Mapping[str, int] = _COUNTS) -> Case:
    """Rendered pictures of 1 to 3 shapes: heat maps of five shapes' centres, boxes, and the shape of every pixel.

    An object's own mask is what its box holds of its shape's pixels: boxes of a scene do not overlap.

    Args:
        counts: Pictures of each split.
    """
    rendered = {split: render_scenes(counts[split], seed) for seed, split in enumerate(SPLITS)}
    splits = {split: _arrays(part) for split, part in rendered.items()}
    train, validation = splits["train"].targets, splits["validation"].targets
    usual = train["box"].nanmean(dim=(0, 2, 3))

    def make_model(task_names: Sequence[str]) -> nn.Module:
        encoder = ConvEncoder(_WIDTHS)
        heads: dict[str, nn.Module] = {
            "class": HeatHead(_WIDTHS[_CELLS:], _CLASSES),
            "box": SidesHead(_WIDTHS[_CELLS:], usual),
            "mask": MaskHead(_WIDTHS, 1 + _CLASSES, rectifier=_LEAKY),
        }
        return Detector(encoder, {name: heads[name] for name in task_names}, usual)

    known = {"mask": region_losses()}
    tasks = Tasks(
        [
            Task("class", HeatLoss()),
            Task("box", losses.DenseGIoULoss(), missing="loss"),
            Task("mask", known["mask"]["cross-entropy-dice"]()),
        ]
    )
    return Case(
        name="scenes",
        title="Rendered scenes: which shapes, their boxes and their pixels",
        tasks=tasks,
        data=splits,
        collate=join,
        model=make_model,
        metrics=make_metrics(
            tasks,
            train,
            validation,
            {
                "class": found_metrics(STRIDE, usual, train["class"], validation["class"]),
                "box": [box_metric(usual, validation["box"])],
                "mask": ["miou", "accuracy"],
            },
            sizes={"mask": {"num_classes": 1 + _CLASSES}},
        ),
        batch_size=16,
        learning_rate=3e-3,
        weight_decay=0.01,
        epochs=20,  # after ten the boxes still gain
        patience=20,
        data_hash=hashlib.sha256(
            b"".join(scene.picture.tobytes() for part in rendered.values() for scene in part)
        ).hexdigest(),
        diagnostics=scenes_diagnostics(STRIDE),
        losses=known,
    )


class HeatLoss(losses.HeatMapFocalLoss):
    """That of the heat maps; the boxes behind them are there to be measured."""

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Of two [N, C + 4, h, w]."""
        return super().forward(logits[:, :-4], targets[:, :-4])

    def divisor(self, logits: Tensor, targets: Tensor) -> int:
        """Of two [N, C + 4, h, w]: the number of centres."""
        return super().divisor(logits[:, :-4], targets[:, :-4])


def _arrays(part: Sequence[Scene]) -> Arrays:
    """Pictures with the targets of the three tasks."""
    objects = torch.full((len(part), max(len(scene.objects) for scene in part), 5), torch.nan)
    masks = torch.zeros(len(part), *part[0].picture.shape[1:], dtype=torch.int64)
    for number, scene in enumerate(part):
        for place, thing in enumerate(scene.objects):
            objects[number, place] = torch.tensor([thing.shape, *thing.box])
            masks[number][torch.from_numpy(thing.mask)] = 1 + thing.shape
    heat, sides = centre_maps(objects, _CLASSES, (masks.shape[1] // STRIDE, masks.shape[2] // STRIDE), STRIDE)
    pictures = torch.from_numpy(np.stack([scene.picture for scene in part]))
    return Arrays(pictures, {"class": torch.cat([heat, sides.nan_to_num(0.0)], dim=1), "box": sides, "mask": masks})
