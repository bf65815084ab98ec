"""VQGAN's adaptive weight, against the same by hand."""

import torch
from last_layer_weight import WEIGHTS, make_autoencoder, train_step
from torch import nn
from torch.nn import functional

import equipoise as eq


def problem():
    torch.manual_seed(0)
    autoencoder, critic = make_autoencoder(), nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(), nn.Linear(32, 1))
    optimizers = [torch.optim.Adam(part.parameters(), lr=2e-3) for part in (autoencoder, critic)]
    return autoencoder, critic, optimizers


def step_by_hand(autoencoder, critic, optimizer, critic_optimizer, x):
    """L = reconstruction + 0.5 λ adversarial, λ = |∇ reconstruction| / |∇ adversarial| at the last layer."""
    made = autoencoder(x)
    reconstruction, adversarial = (made - x).abs().mean(), -critic(made).mean()
    last = list(autoencoder[-1].parameters())
    long, short = (
        torch.cat([g.flatten() for g in torch.autograd.grad(loss, last, retain_graph=True)]).norm()
        for loss in (reconstruction, adversarial)
    )
    given = list(autoencoder.parameters())
    for parameter, gradient in zip(
        given, torch.autograd.grad(reconstruction + 0.5 * (long / short) * adversarial, given), strict=True
    ):
        parameter.grad = gradient
    optimizer.step()
    critic_optimizer.zero_grad()
    (functional.relu(1 - critic(x)).mean() + functional.relu(1 + critic(made.detach())).mean()).backward()
    critic_optimizer.step()
    return float(long / short)


def test_it_trains_as_by_hand():
    autoencoder, critic, optimizers = problem()
    balancer = eq.Balancer(eq.VQGAN(), autoencoder, tasks=WEIGHTS, gramian_from=autoencoder[-1])
    other, other_critic, other_optimizers = problem()
    for _ in range(10):
        x = torch.randn(32, 16)
        train_step(autoencoder, critic, balancer, *optimizers, x)
        adaptive = step_by_hand(other, other_critic, *other_optimizers, x)
        assert abs(balancer.record.weights["adversarial"] - 0.5 * adaptive) <= 1e-4 * adaptive  # 0.5: the user's
    for one, two in zip(autoencoder.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=0, atol=1e-5)  # Adam divides small gradients by themselves
