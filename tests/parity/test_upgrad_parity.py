"""UPGrad and DualProj beside TorchJD's, whose ridge of 1e-4 is turned down here as far as its solver allows."""

import pytest
import torch

from equipoise.aggregation.dualproj import DualProj
from equipoise.aggregation.upgrad import UPGrad

torchjd = pytest.importorskip("torchjd.aggregation")
pytest.importorskip("quadprog")
linalg = pytest.importorskip("torchjd.linalg")

F64 = torch.float64
PAIRS = [(UPGrad, torchjd.UPGradWeighting), (DualProj, torchjd.DualProjWeighting)]


def problems(spread):
    generator = torch.Generator().manual_seed(0)
    for k in (2, 3, 5, 10, 40):
        for columns in (max(2, k // 2), 2 * k):
            rows = torch.randn(k, columns, generator=generator, dtype=F64)
            yield rows * 10 ** (spread * (2 * torch.rand(k, 1, generator=generator, dtype=F64) - 1))


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
@pytest.mark.parametrize("ridge", [1e-4, 1e-9])
def test_the_directions_agree_to_the_ridge(ours, theirs, ridge):
    weighting = theirs(projector=linalg.QuadprogProjector(norm_eps=0.0, reg_eps=ridge))
    for rows in problems(0):
        gramian = rows @ rows.T
        here = ours()(gramian, torch.ones(len(rows), dtype=F64)) @ rows
        there = weighting(gramian) @ rows
        assert (here - there).norm() <= 20 * ridge**0.5 * rows.norm()
        # where they differ: no task loses here
        assert (rows @ here).min() >= -1e-10 * gramian.trace()


@pytest.mark.parametrize(("ours", "theirs"), PAIRS)
def test_where_norms_differ_the_ridge_hides_the_short_rows(ours, theirs):
    weighting = theirs()
    lost = 0
    for rows in problems(3):
        gramian, units = rows @ rows.T, rows / rows.norm(dim=1, keepdim=True)
        here = ours()(gramian, torch.ones(len(rows), dtype=F64)) @ rows
        there = weighting(gramian) @ rows
        assert (units @ here).min() >= -1e-9 * here.norm() - 1e-12 * rows.norm()
        lost += bool((units @ there).min() < -1e-3 * there.norm())
    assert lost > 0
