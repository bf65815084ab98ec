"""A loss by its name is the loss of that name, with the arguments that the name is given."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from equipoise import losses
from equipoise.lab.cases import usual_losses as usual

DRAW = torch.Generator().manual_seed(0)
NUMBERS = torch.randn(8, generator=DRAW), torch.randn(8, generator=DRAW)
CLASSES = torch.randn(8, 3, generator=DRAW), torch.tensor([0, 1, 2, 2, 2, 0, 2, 2])
BITS = torch.randn(8, 2, generator=DRAW), torch.randint(2, (8, 2), generator=DRAW).float()
REGIONS = torch.randn(2, 3, 4, 4, generator=DRAW), torch.randint(3, (2, 4, 4), generator=DRAW)
COUNTS = torch.tensor([2, 1, 5])


def mixed(share, one, other):
    return lambda outputs, targets: (1 - share) * one(outputs, targets) + share * other(outputs, targets)


@pytest.mark.parametrize(
    ("known", "batch", "name", "arguments", "expected"),
    [
        (usual.number_losses(), NUMBERS, "mse", {}, nn.MSELoss()),
        (usual.number_losses(), NUMBERS, "huber", {}, nn.HuberLoss()),
        (usual.number_losses(), NUMBERS, "huber", {"delta": 0.1}, nn.HuberLoss(delta=0.1)),
        (usual.number_losses(), NUMBERS, "l1", {}, nn.L1Loss()),
        (usual.class_losses(), CLASSES, "cross-entropy", {}, nn.CrossEntropyLoss()),
        (
            usual.class_losses(),
            CLASSES,
            "cross-entropy",
            {"label_smoothing": 0.3},
            nn.CrossEntropyLoss(label_smoothing=0.3),
        ),
        (usual.class_losses(), CLASSES, "focal", {"gamma": 1.0}, losses.FocalLoss(1.0)),
        (
            usual.counted_class_losses(torch.cat([CLASSES[1], torch.tensor([-100, -100])]), 3),
            CLASSES,
            "logit-adjusted",
            {"tau": 0.5, "beta": 0.75},
            losses.LogitAdjustedLoss(COUNTS, 0.5, beta=0.75),
        ),
        (
            usual.counted_class_losses(torch.cat([CLASSES[1], torch.tensor([-100, -100])]), 3),
            CLASSES,
            "weighted-cross-entropy",
            {"power": 1.0},
            nn.CrossEntropyLoss(torch.tensor([8 / 6, 8 / 3, 8 / 15])),  # every class counts 8/3 of 8 samples
        ),
        (usual.binary_losses(BITS[1]), BITS, "bce", {}, nn.BCEWithLogitsLoss()),
        (usual.binary_losses(BITS[1]), BITS, "focal", {"gamma": 0.5}, losses.BinaryFocalLoss(0.5)),
        (
            usual.binary_losses(BITS[1]),
            BITS,
            "asymmetric",
            {"gamma_neg": 2.0, "clip": 0.1},
            losses.AsymmetricLoss(gamma_neg=2.0, clip=0.1),
        ),
        (
            usual.label_losses(BITS[1]),
            BITS,
            "soft-f1",
            {"proportion": 0.2},
            mixed(0.2, nn.BCEWithLogitsLoss(), losses.SoftF1Loss()),
        ),
        (
            usual.region_losses(),
            REGIONS,
            "cross-entropy-dice",
            {"proportion": 0.2},
            mixed(0.2, nn.CrossEntropyLoss(), losses.DiceLoss()),
        ),
        (usual.region_losses(), REGIONS, "cross-entropy", {}, nn.CrossEntropyLoss()),
        (usual.region_losses(), REGIONS, "dice", {"smooth": 2.0}, losses.DiceLoss(smooth=2.0)),
        (usual.region_losses(), REGIONS, "dice", {}, losses.DiceLoss()),
        (usual.region_losses(), REGIONS, "lovasz", {}, losses.LovaszSoftmaxLoss()),
    ],
)
def test_a_name_is_its_loss(known, batch, name, arguments, expected):
    assert_close(known[name](**arguments)(*batch), expected(*batch))


def test_positives_are_weighed_by_how_often_there_are_none():
    """Of the rows with labels; a label that is never positive by 1."""
    labels = torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [1.0, 0.0], [0.0, 0.0], [torch.nan, torch.nan]])
    assert_close(usual.binary_losses(labels)["weighted-bce"]().pos_weight, torch.tensor([3 / 2, 1.0]))
