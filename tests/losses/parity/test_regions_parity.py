"""Overlap losses beside those of MONAI and kornia, and scikit-learn's metrics in the hard limit."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses import (
    binary_dice,
    binary_jaccard,
    binary_tversky,
    dice,
    generalised_dice,
    jaccard,
    tversky,
)

kornia = pytest.importorskip("kornia.losses")
monai = pytest.importorskip("monai.losses")
metrics = pytest.importorskip("sklearn.metrics")

GENERATOR = torch.Generator().manual_seed(0)
LOGITS = 2 * torch.randn(3, 4, 9, 8, generator=GENERATOR, dtype=torch.float64)
TARGETS = torch.randint(4, (3, 9, 8), generator=GENERATOR)  # every class in every image
MASKS = torch.randint(2, LOGITS.shape, generator=GENERATOR).double()
CHANNEL = TARGETS[:, None].double()


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("smooth", [0.0, 0.5])
def test_beside_monai(per_sample, smooth):
    """Its smoothing of Dice and Jaccard is added to 2 TP, ours to TP."""
    keywords = {"softmax": True, "to_onehot_y": True, "batch": not per_sample}
    twice = {"smooth_nr": 2 * smooth, "smooth_dr": 2 * smooth}
    once = {"smooth_nr": smooth, "smooth_dr": smooth}
    ours = {"per_sample": per_sample, "smooth": smooth}
    assert_close(dice(LOGITS, TARGETS, **ours), monai.DiceLoss(**keywords, **twice)(LOGITS, CHANNEL))
    expected = monai.DiceLoss(jaccard=True, **keywords, **twice)(LOGITS, CHANNEL)
    assert_close(jaccard(LOGITS, TARGETS, **ours), expected)
    expected = monai.TverskyLoss(alpha=0.2, beta=0.9, **keywords, **once)(LOGITS, CHANNEL)
    assert_close(tversky(LOGITS, TARGETS, alpha=0.2, beta=0.9, **ours), expected)
    expected = monai.GeneralizedDiceLoss(smooth_nr=0.0, smooth_dr=0.0, **keywords)(LOGITS, CHANNEL)
    assert_close(generalised_dice(LOGITS, TARGETS, per_sample=per_sample), expected)
    keywords = {"sigmoid": True, "batch": not per_sample}
    assert_close(binary_dice(LOGITS, MASKS, **ours), monai.DiceLoss(**keywords, **twice)(LOGITS, MASKS))
    expected = monai.DiceLoss(jaccard=True, **keywords, **twice)(LOGITS, MASKS)
    assert_close(binary_jaccard(LOGITS, MASKS, **ours), expected)
    expected = monai.TverskyLoss(alpha=0.2, beta=0.9, **keywords, **once)(LOGITS, MASKS)
    assert_close(binary_tversky(LOGITS, MASKS, alpha=0.2, beta=0.9, **ours), expected)


def test_what_is_ignored_beside_monai():
    ignored = TARGETS.clone()
    ignored[:, 2:5] = -100
    theirs = monai.DiceLoss(softmax=True, to_onehot_y=True, batch=True, ignore_index=-100, smooth_nr=0.0, smooth_dr=0.0)
    assert_close(dice(LOGITS, ignored), theirs(LOGITS, ignored[:, None].double()))


def test_beside_kornia():
    """It averages the classes present in each image, then the images, as we do per sample."""
    targets = TARGETS.where(TARGETS != 3, 2)  # class 3 absent from all images, class 2 from one
    targets[1] = targets[1].clamp(max=1)
    targets[:, 2:5] = -100
    expected = kornia.dice_loss(LOGITS, targets, average="macro")
    assert_close(dice(LOGITS, targets, per_sample=True), expected)
    expected = kornia.tversky_loss(LOGITS, targets, alpha=0.2, beta=0.9)
    assert_close(tversky(LOGITS, targets, alpha=0.2, beta=0.9, per_sample=True), expected)


def test_the_hard_limit_beside_scikit_learn():
    decisions = LOGITS.argmax(dim=1)
    certain = 1e3 * F.one_hot(decisions, 4).movedim(-1, 1).double()
    flat = TARGETS.flatten(), decisions.flatten()
    assert_close(dice(certain, TARGETS).item(), 1 - metrics.f1_score(*flat, average="macro"))
    assert_close(jaccard(certain, TARGETS).item(), 1 - metrics.jaccard_score(*flat, average="macro"))
    # F_b: (1 + b²) TP / ((1 + b²) TP + b² FN + FP), so with b = 2 alpha = 1/5, beta = 4/5
    expected = 1 - metrics.fbeta_score(*flat, beta=2.0, average="macro")
    assert_close(tversky(certain, TARGETS, alpha=0.2, beta=0.8).item(), expected)
    told = (LOGITS > 0).double()
    flat = MASKS.movedim(1, -1).flatten(0, 2), told.movedim(1, -1).flatten(0, 2)
    certain = 1e3 * (2 * told - 1)
    assert_close(binary_dice(certain, MASKS).item(), 1 - metrics.f1_score(*flat, average="macro"))
    assert_close(binary_jaccard(certain, MASKS).item(), 1 - metrics.jaccard_score(*flat, average="macro"))
