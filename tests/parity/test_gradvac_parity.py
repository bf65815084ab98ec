"""GradVac beside TorchJD's, on two tasks, where the random order is no choice."""

import numpy as np
import pytest
import torch

from equipoise.aggregation.gradvac import GradVac

torchjd = pytest.importorskip("torchjd.aggregation")
F64 = torch.float64


@pytest.mark.parametrize("beta", [0.01, 0.5])
@pytest.mark.parametrize("spread", [0.0, 7.0])  # norms over 1e±3
def test_directions_are_torchjds_step_by_step(beta, spread):
    rng = np.random.default_rng(0)
    method, theirs = GradVac(beta), torchjd.GradVac(beta, eps=0.0)
    method.bind(2)
    base = rng.standard_normal(6)
    for _ in range(100):
        rows = (rng.standard_normal((2, 6)) + base) * np.exp(rng.uniform(-spread, spread, (2, 1)))
        rows = torch.from_numpy(rows)
        ours, expected = method(rows @ rows.T, torch.ones(2, dtype=F64)) @ rows, theirs(rows)
        torch.testing.assert_close(ours, expected, rtol=1e-7, atol=1e-9 * float(expected.norm()))


def test_an_epsilon_makes_small_gradients_the_plain_sum_and_ours_has_none():
    rows = 1e-6 * torch.tensor([[1.0, 0.0], [-2.0, 2.0]], dtype=F64)
    method = GradVac()
    method.bind(2)
    torch.testing.assert_close(method(rows @ rows.T, torch.ones(2, dtype=F64)), torch.tensor([3.0, 1.25], dtype=F64))
    small = 1e-3 * rows
    assert (torchjd.GradVac()(small) - small.sum(dim=0)).norm() < 0.3 * small.norm()  # its defaults
