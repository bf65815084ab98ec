"""PCD beside TorchJD's, with the eps of its norms at zero."""

import pytest
import torch

from equipoise.aggregation.pcd import PCD

torchjd = pytest.importorskip("torchjd.aggregation")

F64 = torch.float64


@pytest.mark.parametrize("tau", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("spread", [0.0, 3.0])
def test_the_directions_of_a_training_agree(tau, spread):
    generator = torch.Generator().manual_seed(0)
    for k in (1, 2, 3, 5, 10, 40):
        for columns in (max(2, k // 2), 2 * k):
            factors = 10 ** (spread * (2 * torch.rand(k, 1, generator=generator, dtype=F64) - 1))
            ours, theirs = PCD(tau=tau, beta=0.9), torchjd.PCDWeighting(tau=tau, beta=0.9, eps=0.0)
            ours.bind(k)
            for _ in range(4):
                rows = factors * torch.randn(k, columns, generator=generator, dtype=F64)
                gramian = rows @ rows.T
                here = ours(gramian, torch.ones(k, dtype=F64)) @ rows
                there = theirs(gramian) @ rows
                torch.testing.assert_close(here, there, atol=1e-6 * rows[0].norm().item(), rtol=0)
