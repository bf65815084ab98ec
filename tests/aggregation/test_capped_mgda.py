import pytest
import torch

from equipoise.aggregation.capped_mgda import CappedMGDA
from equipoise.aggregation.mgda import MGDA
from equipoise.testing import check_method

F64 = torch.float64


def weights_of(method, rows):
    return method(rows @ rows.T, torch.ones(len(rows), dtype=F64))


def test_it_keeps_every_law():
    check_method(CappedMGDA)
    check_method(lambda: CappedMGDA(cap=0.25))


@pytest.mark.parametrize("cap", [0.15, 0.25, 0.5])
def test_the_worst_served_tasks_gain_as_much_as_the_direction_is_long(cap):
    # the duality behind it: d attains max over |d| of min over the capped w of g_w . d - |d|^2 / 2, so the mean gain
    # of the worst served tasks, each counted with cap at most, is |d|^2
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        rows = torch.randn(8, 6, generator=generator, dtype=F64) * torch.rand(8, 1, generator=generator, dtype=F64)
        weights = weights_of(CappedMGDA(cap), rows)
        direction = weights @ rows
        filled = (1 - cap * torch.arange(8, dtype=F64)).clamp(0, cap)
        at_risk = (rows @ direction).sort().values @ filled
        assert weights.max() <= cap + 1e-12
        assert weights.sum() == pytest.approx(1)
        torch.testing.assert_close(at_risk, direction @ direction, atol=1e-10, rtol=0)


def test_a_short_gradient_no_longer_decides_alone():
    rows = torch.tensor([[1.0, 0.0], [0.0, 1e-3]], dtype=F64)
    torch.testing.assert_close(weights_of(CappedMGDA(0.7), rows), torch.tensor([0.3, 0.7], dtype=F64))


def test_its_ends_are_mgda_and_the_mean():
    rows = torch.randn(5, 9, generator=torch.Generator().manual_seed(1), dtype=F64)
    torch.testing.assert_close(weights_of(CappedMGDA(1.0), rows), weights_of(MGDA(), rows))
    torch.testing.assert_close(weights_of(CappedMGDA(0.2), rows), torch.full((5,), 0.2, dtype=F64))
    torch.testing.assert_close(weights_of(CappedMGDA(0.2), rows[:3]), torch.full((3,), 1 / 3, dtype=F64))


@pytest.mark.parametrize("scale", [1e-20, 1e-12, 1e12, 1e15])
def test_a_common_scale_changes_nothing(scale):
    rows = torch.randn(6, 10, generator=torch.Generator().manual_seed(2), dtype=F64)
    method = CappedMGDA(0.25)
    torch.testing.assert_close(weights_of(method, scale * rows), weights_of(method, rows), rtol=1e-9, atol=1e-12)
    assert method.unsolved == 0


@pytest.mark.parametrize("cap", [0.0, -0.5, 1.5])
def test_a_bad_cap_is_refused(cap):
    with pytest.raises(ValueError, match=rf"cap must be in \(0, 1\], got {cap}"):
        CappedMGDA(cap)
