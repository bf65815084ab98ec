"""Aligned-MTL beside TorchJD's, which takes the eigenvalues of the gramian and means over the tasks."""

import numpy as np
import pytest
import torch

from equipoise.aggregation.aligned_mtl import AlignedMTL

torchjd = pytest.importorskip("torchjd.aggregation")
F64 = torch.float64
SCALES = ("min", "median", "rmse")


def both(rows, scale):
    k = len(rows)
    ours = AlignedMTL(scale)(rows @ rows.T, torch.ones(k, dtype=F64)) @ rows
    return ours, k * torchjd.AlignedMTL(scale_mode=scale)(rows)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("columns", [20, 3])
def test_directions_are_torchjds(scale, columns):
    rng = np.random.default_rng(columns)
    for _ in range(50):
        rows = torch.from_numpy(rng.standard_normal((6, columns)) * np.exp(rng.uniform(-1, 1, (6, 1))))
        ours, theirs = both(rows, scale)
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-6 * float(theirs.norm()))


def test_where_lengths_differ_much_only_ours_is_aligned():
    # the smallest singular value, 1e-9 of the largest, is below the rounding of the gramian's eigenvalues
    rng = np.random.default_rng(1)
    for _ in range(20):
        rows = torch.from_numpy(rng.standard_normal((3, 8)) * np.array([[1e4], [1.0], [1e-6]]))
        left, singular, right = torch.linalg.svd(rows, full_matrices=False)
        expected = singular.min() * (left @ right).sum(dim=0)
        ours, theirs = both(rows, "min")
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-4 * float(expected.norm()))
        assert (theirs - expected).norm() > 100 * expected.norm()
