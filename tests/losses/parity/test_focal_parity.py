"""Focal losses beside those of kornia and MONAI."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses import binary_focal, focal

kornia = pytest.importorskip("kornia")
monai = pytest.importorskip("monai.losses")


def test_binary_focal_beside_kornia():
    logits, targets = torch.randn(2, 3, 8, 8), torch.randint(2, (2, 3, 8, 8)).float()
    expected = kornia.losses.binary_focal_loss_with_logits(logits, targets, alpha=0.25, gamma=1.5, reduction="none")
    assert_close(binary_focal(logits, targets, alpha=0.25, gamma=1.5, reduction="none"), expected)


def test_focal_beside_monai():
    logits, targets = torch.randn(2, 4, 8, 8), torch.randint(4, (2, 8, 8))
    expected = monai.FocalLoss(gamma=2.0, to_onehot_y=True, use_softmax=True, reduction="none")(
        logits, targets[:, None].float()
    )
    assert_close(focal(logits, targets, reduction="none"), expected.sum(dim=1))
