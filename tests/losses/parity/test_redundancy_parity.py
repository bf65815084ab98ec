"""VICReg beside pytorch-metric-learning, which halves the variance term."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.redundancy import vicreg

pml = pytest.importorskip("pytorch_metric_learning.losses")


@pytest.mark.parametrize(("n", "d"), [(16, 5), (4, 12)])
def test_vicreg_beside_theirs(n, d):
    first, second = 0.5 * torch.randn(2, n, d, generator=torch.Generator().manual_seed(0))
    expected = pml.VICRegLoss(invariance_lambda=3, variance_mu=8, covariance_v=5)(first, ref_emb=second)
    assert_close(vicreg(first, second, invariance=3, variance=4, covariance=5), expected)
