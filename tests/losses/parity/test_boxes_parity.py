"""Box losses beside those of MONAI."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.boxes import giou, iou

monai = pytest.importorskip("monai.losses")
box_utils = pytest.importorskip("monai.data.box_utils")


def test_beside_monai():
    generator = torch.Generator().manual_seed(0)
    corners, sizes = 4 * torch.rand(2, 40, 2, generator=generator), 1 + 3 * torch.rand(2, 40, 2, generator=generator)
    prediction, target = torch.cat([corners, corners + sizes], dim=2)
    assert_close(iou(prediction, target, reduction="none"), 1 - box_utils.box_iou(prediction, target).diagonal())
    assert_close(giou(prediction, target, reduction="none"), monai.BoxGIoULoss(reduction="none")(prediction, target))
