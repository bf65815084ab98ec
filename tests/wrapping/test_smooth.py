import pytest
import torch

import equipoise as eq
from equipoise.wrapping import Smooth

F64 = torch.float64


class Told(eq.Aggregator):
    """weights = losses."""

    def forward(self, gramian, losses, tasks):
        return losses


def step(method, weights, tasks):
    losses = torch.tensor(weights, dtype=F64)
    return method(torch.eye(len(losses), dtype=F64), losses, torch.tensor(tasks)).tolist()


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.99])
def test_weights_are_the_mean_with_geometric_shares(beta):
    method = Smooth(beta, Told())
    method.bind(3)
    told = {0: [], 1: [], 2: []}
    generator = torch.Generator().manual_seed(0)
    for present in ([0, 1, 2], [0, 2], [2], [0, 1, 2], [1]):
        weights = torch.randn(len(present), generator=generator, dtype=F64).tolist()
        for k, weight in zip(present, weights, strict=True):
            told[k].append(weight)
        expected = []
        for k in present:
            shares = [beta ** (len(told[k]) - 1 - i) for i in range(len(told[k]))]
            expected.append(sum(s * w for s, w in zip(shares, told[k], strict=True)) / sum(shares))
        assert step(method, weights, present) == pytest.approx(expected, rel=1e-9)


def test_the_objective_of_a_weighting_has_the_smooth_weights_as_its_gradient():
    method = Smooth(0.5, eq.UW())
    method.bind(2)
    losses = torch.tensor([2.0, 3.0], requires_grad=True)
    seen = []
    for shift in (0.0, 1.0):
        with torch.no_grad():
            method.method.log_variance.fill_(-shift)
        objective = method(losses)
        (weights,) = torch.autograd.grad(objective, losses)
        assert objective.item() == pytest.approx((weights @ losses).item())
        seen.append(weights[0].item())
    first, second = 0.5, 0.5 * torch.tensor(1.0).exp().item()
    assert seen == pytest.approx([first, (first + 2 * second) / 3])


@pytest.mark.parametrize("beta", [-0.1, 1.0, float("nan")])
def test_errors(beta):
    with pytest.raises(ValueError, match=r"beta must be in \[0, 1\), got"):
        Smooth(beta, eq.MGDA())
