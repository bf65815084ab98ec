"""IMTL-G beside TorchJD's, which solves on the gramian itself."""

import numpy as np
import pytest
import torch

from equipoise.aggregation.imtl_g import IMTLG

torchjd = pytest.importorskip("torchjd.aggregation")
F64 = torch.float64


def unequal(rows, direction):
    """How much the projections on the unit gradients differ, relative to the largest: 0 by definition."""
    gains = rows @ direction / rows.norm(dim=1)
    return float((gains.max() - gains.min()) / gains.abs().max())


def test_weights_are_torchjds_where_they_descend_and_gradients_are_alike_in_length():
    rng, compared, climbs = np.random.default_rng(0), 0, 0
    for _ in range(400):
        k = int(rng.integers(2, 9))
        rows = torch.from_numpy(
            (rng.standard_normal((k, 20)) + rng.standard_normal(20)) * np.exp(rng.uniform(-2, 2, (k, 1)))
        )
        method = IMTLG()
        ours, theirs = method(rows @ rows.T, torch.ones(k, dtype=F64)), torchjd.IMTLG().gramian_weighting(rows @ rows.T)
        if method.unsolved:  # they climb, we descend along the same line
            climbs += 1
            assert (rows @ (theirs @ rows) < 0).all()
            assert (rows @ (ours @ rows) > 0).all()
        else:
            compared += 1
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6 * float(theirs.abs().max()))
    assert compared > 300
    assert climbs > 0


def test_where_lengths_differ_much_only_ours_has_equal_projections():
    rng, worse = np.random.default_rng(1), 0
    for _ in range(200):
        rows = rng.standard_normal((5, 20)) * np.exp(rng.uniform(-18, 18, (5, 1))) * 1e-3
        rows = torch.from_numpy(rows)
        method = IMTLG()
        ours = method(rows @ rows.T, torch.ones(5, dtype=F64)) @ rows
        assert unequal(rows, ours) < 1e-7
        worse += unequal(rows, torchjd.IMTLG()(rows)) > 1e-3
    assert worse > 100


def test_dependent_rows():
    # TorchJD's pseudo-inverse is of the gramian, ours of the cosines: other weights for parallel gradients of unequal
    # length, and the same line for all gradients whose equations have a solution
    rng = np.random.default_rng(2)
    for _ in range(50):
        rows = torch.from_numpy(rng.standard_normal((3, 8)) + 0.5)[[0, 1, 2, 0]]
        rows[3] *= 0.3
        method = IMTLG()
        ours, theirs = method(rows @ rows.T, torch.ones(4, dtype=F64)) @ rows, torchjd.IMTLG()(rows)
        if method.unsolved == 0:
            assert unequal(rows, ours) < 1e-7
            assert ours @ theirs / ours.norm() / theirs.norm() == pytest.approx(1, abs=1e-7)
