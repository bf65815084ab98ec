"""Regression on data with outliers: the squared error against a loss that learns how much to listen to them.

    python examples/robust_regression.py

A tenth of the training labels is wrong by a lot. The adaptive robust loss learns its shape alpha and its scale beside
the network: alpha near 2 is the squared error, near 0 a Cauchy likelihood that all but ignores outliers.
"""

import torch
from torch import nn

import equipoise as eq
from equipoise import losses

STEPS, SAMPLES = 600, 1024


def data(generator):
    x = torch.rand(SAMPLES, 4, generator=generator) * 2 - 1
    clean = torch.sin(3 * x[:, :1]) + x[:, 1:2] * x[:, 2:3] + x[:, 3:].square()
    noisy = clean + 0.1 * torch.randn(SAMPLES, 1, generator=generator)
    wrong = torch.rand(SAMPLES, 1, generator=generator) < 0.1
    return x, clean, noisy.where(~wrong, 5 * torch.randn(SAMPLES, 1, generator=generator))


def fit(loss) -> float:
    """The root mean squared error to the clean function on new inputs."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
    tasks = eq.Tasks([eq.Task("y", loss)])
    balancer = eq.Balancer(eq.Sum(), model, tasks=tasks)
    optimizer = torch.optim.Adam([*model.parameters(), *tasks.parameters()], lr=3e-3)
    x, _, y = data(torch.Generator().manual_seed(0))
    for _ in range(STEPS):
        optimizer.zero_grad()
        balancer(tasks.losses({"y": model(x)}, {"y": y})).backward()
        optimizer.step()
    x, clean, _ = data(torch.Generator().manual_seed(1))
    with torch.no_grad():
        return float(losses.rmse(model(x), clean))


def main() -> None:
    squared = fit(nn.MSELoss())
    adaptive_loss = losses.AdaptiveRobustNLLLoss()
    adaptive = fit(adaptive_loss)
    print(f"error on clean data: {squared:.3f} with the squared error, {adaptive:.3f} with the adaptive robust loss")
    print(f"learned: {adaptive_loss}, alpha {adaptive_loss.alpha.item():.2f}, scale {adaptive_loss.scale.item():.3f}")


if __name__ == "__main__":
    main()
