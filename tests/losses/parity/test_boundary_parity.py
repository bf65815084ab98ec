"""Boundary loss beside MONAI's."""

import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.boundary import boundary, signed_distance

monai = pytest.importorskip("monai.losses")


def test_beside_monai():
    """Its distance inside is to the region's last pixel, one less than ours to the first pixel outside."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 3, 12, 16, generator=generator)
    targets = torch.randint(3, (2, 3, 4), generator=generator).repeat_interleave(4, 1).repeat_interleave(4, 2)
    masks = F.one_hot(targets, 3).movedim(-1, 1).bool()
    theirs = monai.BoundaryLoss(softmax=True)
    distances = signed_distance(masks) + masks.float()
    assert_close(distances, theirs.compute_distance_map(masks))
    assert_close(boundary(logits, distances), theirs(logits, masks))
