"""ConFIG beside TorchJD's, which takes the pseudo-inverse of the unit rows themselves."""

import numpy as np
import pytest
import torch

from equipoise.aggregation.config import ConFIG

torchjd = pytest.importorskip("torchjd.aggregation")
F64 = torch.float64


@pytest.mark.parametrize("spread", [0.0, 7.0])  # norms over 1e±3
@pytest.mark.parametrize("columns", [20, 3])
@pytest.mark.parametrize("preference", [None, [1.0, 2.0, 0.5, 1.0, 3.0]])
def test_directions_are_torchjds(spread, columns, preference):
    rng = np.random.default_rng(columns)
    for _ in range(50):
        raw = torch.from_numpy(rng.standard_normal((5, columns)) * np.exp(rng.uniform(-spread, spread, (5, 1))))
        method, theirs = ConFIG(), torchjd.ConFIG()
        shown = raw
        if preference is not None:
            power = torch.tensor(preference, dtype=F64)
            theirs = torchjd.ConFIG(pref_vector=power)
            method.prefer(power)
            shown = power[:, None] * raw
        ours, expected = method(shown @ shown.T, torch.ones(5, dtype=F64)) @ shown, theirs(raw)
        torch.testing.assert_close(ours, expected, rtol=1e-6, atol=1e-6 * float(expected.norm()))
