"""FairGrad beside TorchJD's, which hands the equations to scipy."""

import pytest
import torch

from equipoise.aggregation.fairgrad import FairGrad

torchjd = pytest.importorskip("torchjd.aggregation")
pytest.importorskip("scipy")

F64 = torch.float64


def error_of(gramian, alpha, weights):
    return (gramian @ weights * weights ** (1 / alpha) - 1).abs().max()


@pytest.mark.paired
@pytest.mark.parametrize("alpha", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("spread", [1.0, 3.0, 0.0])
def test_the_weights_agree_or_the_equations_hold_better_here(alpha, spread):
    generator = torch.Generator().manual_seed(0)
    agreed = 0
    for k in (2, 3, 10):
        for _ in range(3):
            rows = torch.randn(k, 2 * k, generator=generator, dtype=F64)
            rows = rows * 10 ** (spread * (2 * torch.rand(k, 1, generator=generator, dtype=F64) - 1))
            gramian = rows @ rows.T
            here = FairGrad(alpha)(gramian, torch.ones(k, dtype=F64))
            there = torchjd.FairGradWeighting(alpha=alpha)(gramian)
            assert error_of(gramian, alpha, here) <= 1e-6
            if error_of(gramian, alpha, there) < 1e-6:
                torch.testing.assert_close(here, there, rtol=1e-4, atol=0)
                agreed += 1
            else:
                assert error_of(gramian, alpha, here) < error_of(gramian, alpha, there)
    assert agreed > 0 or spread > 0
