"""What static weights do under an optimiser that normalises its step."""

import pytest
import torch

import equipoise as eq

INPUTS = torch.randn(16, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
TARGETS = torch.randn(16, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def trained(weights, make_optimizer, steps=40):
    torch.manual_seed(0)
    trunk = torch.nn.Linear(4, 3).double()
    heads = torch.nn.ModuleList(torch.nn.Linear(3, 1).double() for _ in range(2))
    model = torch.nn.ModuleList([trunk, heads])
    balancer, optimizer = eq.Balancer(eq.Fixed(weights), model, tasks=["a", "b"]), make_optimizer(model.parameters())
    for _ in range(steps):
        optimizer.zero_grad()
        features = torch.tanh(trunk(INPUTS))
        losses = [(head(features)[:, 0] - TARGETS[:, k]).square().mean() for k, head in enumerate(heads)]
        balancer(dict(zip("ab", losses, strict=True))).backward()
        optimizer.step()
    return [torch.nn.utils.parameters_to_vector(part.parameters()).detach() for part in (trunk, *heads)]


def adam(parameters):
    return torch.optim.Adam(parameters, lr=0.01, eps=1e-30)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.01)


def test_under_adam_a_factor_of_all_weights_changes_nothing():
    torch.testing.assert_close(trained([1.0, 3.0], adam), trained([1e3, 3e3], adam), rtol=1e-6, atol=1e-8)


def test_under_adam_a_weight_moves_the_trunk_and_under_sgd_it_is_the_heads_learning_rate_too():
    for make_optimizer, is_own_rate in ((adam, False), (sgd, True)):
        before, after = (trained([1.0, weight], make_optimizer, steps=1) for weight in (1.0, 100.0))
        start = trained([1.0, 1.0], make_optimizer, steps=0)
        moved = [(a - s).norm() / (b - s).norm() for a, b, s in zip(after, before, start, strict=True)]
        assert moved[1].item() == pytest.approx(1)
        assert moved[2].item() == pytest.approx(100 if is_own_rate else 1)
        trunks = [step[0] - start[0] for step in (before, after)]
        assert torch.cosine_similarity(*trunks, dim=0) < 0.99


@pytest.mark.parametrize("make_optimizer", [adam, sgd])
def test_a_factor_of_one_weight_is_not_a_factor_of_the_total(make_optimizer):
    assert not torch.allclose(trained([1.0, 3.0], make_optimizer)[0], trained([1e3, 3.0], make_optimizer)[0], rtol=1e-3)
