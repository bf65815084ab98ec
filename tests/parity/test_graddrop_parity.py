import pytest
import torch

from equipoise.aggregation.graddrop import GradDrop

torchjd = pytest.importorskip("torchjd.aggregation")


@pytest.mark.parametrize("leak", [None, [0.0, 0.3, 1.0, 0.5]])
def test_graddrop_is_torchjds_for_the_same_draws(leak, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    ours = GradDrop() if leak is None else GradDrop(leak)
    theirs = torchjd.GradDrop(leak=None if leak is None else torch.tensor(leak, dtype=torch.float64))
    ours.bind(4)
    for scale in (1e-3, 1.0, 1e3):
        for rank in (1, 2, 4):
            mixing = torch.randn(4, rank, generator=generator, dtype=torch.float64)
            rows = scale ** torch.arange(4)[:, None] * mixing @ torch.randn(rank, 40, generator=generator).double()
            drawn = torch.rand(40, generator=generator, dtype=torch.float64)
            with monkeypatch.context() as patch:
                patch.setattr(torch, "rand", lambda *_, drawn=drawn, **__: drawn)
                torch.testing.assert_close(ours(rows, torch.ones(4)), theirs(rows))
