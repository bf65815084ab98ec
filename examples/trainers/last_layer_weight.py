"""VQGAN's last layer: ``eq.Balancer(eq.VQGAN(), net, ..., gramian_from=net[-1])``; an autoencoder and its critic."""

import torch
from torch import nn

import equipoise as eq
from equipoise import losses

WEIGHTS = {"reconstruction": 1.0, "adversarial": 0.5}  # the adversarial gradient: half as long as the reconstruction's


def make_autoencoder():
    return nn.Sequential(nn.Linear(16, 4), nn.Tanh(), nn.Linear(4, 32), nn.Tanh(), nn.Linear(32, 16))


def train_step(autoencoder, critic, balancer, optimizer, critic_optimizer, x):
    made = autoencoder(x)
    both = {"reconstruction": (made - x).abs().mean(), "adversarial": losses.hinge_generator(critic(made))}
    optimizer.zero_grad()
    balancer(both).backward()
    optimizer.step()
    critic_optimizer.zero_grad()  # the adversarial loss has left its gradient in the critic
    losses.hinge_discriminator(critic(x), critic(made.detach())).backward()
    critic_optimizer.step()


def main() -> None:
    torch.manual_seed(0)
    autoencoder, critic = make_autoencoder(), nn.Sequential(nn.Linear(16, 32), nn.LeakyReLU(), nn.Linear(32, 1))
    balancer = eq.Balancer(eq.VQGAN(), autoencoder, tasks=WEIGHTS, gramian_from=autoencoder[-1])
    optimizers = [torch.optim.Adam(part.parameters(), lr=2e-3) for part in (autoencoder, critic)]
    for _ in range(300):
        train_step(autoencoder, critic, balancer, *optimizers, torch.randn(32, 4) @ torch.ones(4, 16).triu())
    print(balancer.record.losses, balancer.record.weights)


if __name__ == "__main__":
    main()
