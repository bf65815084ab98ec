"""Members of the robust loss beside those of kornia."""

import math

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.robust import adaptive_robust

kornia = pytest.importorskip("kornia.losses")

MEMBERS = {
    1.0: kornia.charbonnier_loss,
    0.0: kornia.cauchy_loss,
    -2.0: kornia.geman_mcclure_loss,
    -math.inf: kornia.welsch_loss,
}


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("alpha", MEMBERS)
def test_member_beside_kornia(alpha, reduction):
    prediction, target = (3 * torch.randn(2, 3, 8, 8, dtype=torch.float64) for _ in range(2))
    expected = MEMBERS[alpha](prediction, target, reduction=reduction)
    assert_close(adaptive_robust(prediction, target, alpha=alpha, reduction=reduction), expected)
    learned = torch.tensor(alpha, dtype=torch.float64)
    assert_close(adaptive_robust(prediction, target, alpha=learned, reduction=reduction), expected)
