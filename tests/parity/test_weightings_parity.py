"""Weightings beside TorchJD's scalarizers, over losses spread by 1e±3."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.weighting.famo import FAMO
from equipoise.weighting.gls import GLS
from equipoise.weighting.imtl_l import IMTLL
from equipoise.weighting.stch import STCH

theirs = pytest.importorskip("torchjd.scalarization")


def problems(num_tasks, count=20):
    generator = torch.Generator().manual_seed(num_tasks)
    spread = 10 ** (6 * torch.rand(count, num_tasks, generator=generator, dtype=torch.float64) - 3)
    return spread.unbind()


def bound(method, num_tasks):
    method.bind(num_tasks)
    return method


def check_same_objective_and_weights(ours, other, losses):
    found = []
    for scalarizer in (ours, other):
        leaf = losses.clone().requires_grad_()
        value = scalarizer(leaf)
        found.append((value.detach(), *torch.autograd.grad(value, leaf)))
    assert_close(found[0], found[1], rtol=1e-5, atol=1e-300, check_dtype=False)


@pytest.mark.parametrize("num_tasks", [1, 2, 5])
def test_gls_beside_geometric_mean(num_tasks):
    for losses in problems(num_tasks):
        check_same_objective_and_weights(bound(GLS(), num_tasks), theirs.GeometricMean(), losses)


@pytest.mark.parametrize("num_tasks", [1, 2, 5])
@pytest.mark.parametrize("mu", [0.05, 1.0])
def test_stch(num_tasks, mu):
    weights = torch.rand(num_tasks, generator=torch.Generator().manual_seed(0)) + 0.1
    reference = -torch.rand(num_tasks, generator=torch.Generator().manual_seed(1))
    for losses in problems(num_tasks):
        check_same_objective_and_weights(bound(STCH(mu), num_tasks), theirs.STCH(mu), losses)
        ours = bound(STCH(mu, weights.tolist(), reference.tolist()), num_tasks)
        check_same_objective_and_weights(ours, theirs.STCH(mu, weights, reference), losses)


def test_imtl_l():
    ours, other = bound(IMTLL(), 5), theirs.IMTLL(5)
    with torch.no_grad():
        for parameter in (*ours.parameters(), *other.parameters()):
            parameter.copy_(torch.linspace(-1, 1, 5))
    for losses in problems(5):
        check_same_objective_and_weights(ours, other, losses)


@pytest.mark.parametrize("decay", [0.0, 1e-3])
def test_famo(decay):
    ours, other = bound(FAMO(decay=decay), 5), theirs.FAMO(5, weight_decay=decay).double()
    for losses in problems(5, 50):
        losses = losses + 1e-2  # theirs adds 1e-8 to every loss
        check_same_objective_and_weights(ours, other, losses)
        after = losses * (0.5 + torch.rand(5, generator=torch.Generator().manual_seed(int(losses[0] * 100))))
        ours.after_step(after, torch.arange(5))
        other.update(after)
        assert_close(ours.logits, other._w.detach(), rtol=1e-4, atol=1e-6)
