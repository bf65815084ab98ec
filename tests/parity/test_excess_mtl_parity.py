import pytest
import torch

from equipoise.aggregation.excess_mtl import ExcessMTL

torchjd = pytest.importorskip("torchjd.aggregation")


def runs(lengths, step_size, warmup):
    """The weights of both after some steps; rank 2 in every other."""
    generator = torch.Generator().manual_seed(0)
    ours, theirs = ExcessMTL(step_size, warmup), torchjd.ExcessMTLWeighting(step_size, warmup)
    ours.bind(4)
    for step in range(8):
        mixing = torch.randn(4, 2 + 3 * (step % 2), generator=generator, dtype=torch.float64)
        rows = mixing @ torch.randn(mixing.shape[1], 15, generator=generator, dtype=torch.float64)
        ours(lengths[:, None] * rows, torch.ones(4))
        weights = theirs(lengths[:, None] * rows)
    return ours.log_weights.exp(), weights


@pytest.mark.parametrize("warmup", [1, 3])
@pytest.mark.parametrize("step_size", [0.1, 1.0])
def test_excess_mtl_is_torchjds_where_its_epsilons_vanish(step_size, warmup):
    lengths = torch.tensor([1.0, 30.0, 1000.0, 5.0], dtype=torch.float64)
    ours, theirs = runs(lengths, step_size, warmup)
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


def test_where_they_differ_torchjds_depends_on_the_scale():
    plain = torch.ones(4, dtype=torch.float64)
    short = torch.tensor([1.0, 1.0, 1.0, 1e-5], dtype=torch.float64)
    (ours, theirs), (ours_short, theirs_short) = runs(plain, 1.0, 1), runs(short, 1.0, 1)
    torch.testing.assert_close(ours_short, ours)
    assert (theirs_short - theirs).abs().max() > 1e-3
