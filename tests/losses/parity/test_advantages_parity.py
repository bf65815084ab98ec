"""Generalised advantage estimation beside torchrl's."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.advantages import gae

functional = pytest.importorskip("torchrl.objectives.value.functional")


def theirs(tensor):
    """[T, N] as torchrl has it, [N, T, 1]."""
    return tensor.T.unsqueeze(-1)


@pytest.mark.parametrize("name", ["generalized_advantage_estimate", "vec_generalized_advantage_estimate"])
@pytest.mark.parametrize("steps", [1, 7, 64])
def test_gae_beside_torchrl(name, steps):
    rewards, values, after = torch.randn(3, steps, 4, dtype=torch.float64)
    terminated, truncated = torch.rand(2, steps, 4) < 0.2
    advantages, returns = getattr(functional, name)(
        0.9,
        0.8,
        theirs(values),
        theirs(after),
        theirs(rewards),
        theirs(terminated | truncated),
        theirs(terminated),
    )
    found = gae(rewards, values, after, terminated, discount=0.9, trace=0.8, truncated=truncated)
    # torchrl rounds 0.9 and 0.8 to float32
    assert_close(theirs(found[0]), advantages, rtol=1e-5, atol=1e-5)
    assert_close(theirs(found[1]), returns, rtol=1e-5, atol=1e-5)
