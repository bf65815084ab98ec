import pytest
import torch

from equipoise.aggregation.trimmed_mean import TrimmedMean

torchjd = pytest.importorskip("torchjd.aggregation")


@pytest.mark.parametrize("trim", [0, 1, 2])
def test_trimmed_mean_is_torchjds(trim):
    generator = torch.Generator().manual_seed(0)
    for count in (5, 8):
        for rank in (1, 3, 8):
            lengths = 10 ** (6 * torch.rand(count, 1, generator=generator, dtype=torch.float64) - 3)
            mixing = torch.randn(count, rank, generator=generator, dtype=torch.float64)
            rows = lengths * mixing @ torch.randn(rank, 40, generator=generator, dtype=torch.float64)
            torch.testing.assert_close(TrimmedMean(trim)(rows, torch.ones(count)), torchjd.TrimmedMean(trim)(rows))
