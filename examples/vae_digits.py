"""A VAE on 8×8 digits: reconstruction and KL as two tasks, summed and balanced.

    python examples/vae_digits.py

Here the sum is the bound on the likelihood itself. A bargain between the two shuts the latents (a KL of nothing), and
the bound on held-out digits says so: look at the measure that you care about before you believe in a balance.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import equipoise as eq
from equipoise import losses

EPOCHS, BATCH, LATENT = 40, 64, 8


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 2 * LATENT))
        self.decoder = nn.Sequential(nn.Linear(LATENT, 128), nn.ReLU(), nn.Linear(128, 64))

    def forward(self, images):
        mean, log_variance = self.encoder(images).chunk(2, dim=1)
        latent = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        return {"image": self.decoder(latent), "latent": (mean, log_variance)}


def image_nll(logits, images):
    """Per image: a sum over pixels, as the KL is one over latents."""
    return nn.functional.binary_cross_entropy_with_logits(logits, images, reduction="sum") / len(images)


@torch.no_grad()
def bound(model, images):
    """Reconstruction and KL in nats per image; their sum bounds the negative log-likelihood."""
    torch.manual_seed(1)
    outputs = model(images)
    return torch.stack([image_nll(outputs["image"], images), losses.gaussian_kl(*outputs["latent"])])


def train(method, train_images, held_out):
    torch.manual_seed(0)
    model = VAE()
    tasks = eq.Tasks(
        [
            eq.Task("image", image_nll),
            eq.Task("latent", losses.GaussianKLLoss(), target=None),
        ]
    )
    balancer = eq.Balancer(method, model, tasks=tasks)
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    before = bound(model, held_out).sum()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(train_images)).split(BATCH):
            optimizer.zero_grad()
            balancer(tasks.losses(model(train_images[rows]), {"image": train_images[rows]})).backward()
            optimizer.step()
    reconstruction, divergence = bound(model, held_out)
    print(f"{method}: reconstruction {reconstruction:.2f}, KL {divergence:.2f}")
    return before, reconstruction + divergence


def main() -> None:
    torch.manual_seed(0)
    images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
    images = images[torch.randperm(len(images))]
    before, summed = train(eq.Sum(), images[:1400], images[1400:])
    _, balanced = train(eq.NashMTL(), images[:1400], images[1400:])
    print(
        f"held-out bound in nats: {before:.2f} untrained, {summed:.2f} trained by the sum, {balanced:.2f} by Nash-MTL"
    )


if __name__ == "__main__":
    main()
