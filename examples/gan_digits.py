"""A GAN on 8×8 digits whose generator has two losses: fool the discriminator, and match its features.

    python examples/gan_digits.py

The two bargain (Nash-MTL) over the generator; the discriminator is frozen meanwhile, so that it gets no gradient from
them. Quality is the Fréchet distance of generated digits to held-out real ones, in the features of a small classifier.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn

import equipoise as eq
from equipoise import losses
from generation import frechet_distance

STEPS, BATCH, LATENT = 1500, 128, 32


class Discriminator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128), nn.LeakyReLU(0.2))
        self.head = nn.Linear(128, 1)

    def forward(self, images):
        features = self.trunk(images)
        return self.head(features).squeeze(1), features


def classifier(images, labels):
    """The hidden layer of a classifier that was trained on real digits."""
    trunk, head = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16), nn.ReLU()), nn.Linear(16, 10)
    optimizer = torch.optim.Adam([*trunk.parameters(), *head.parameters()], lr=3e-3)
    for _ in range(400):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(trunk(images)), labels).backward()
        optimizer.step()
    return trunk


def main() -> None:
    torch.manual_seed(0)
    digits = load_digits()
    images = torch.tensor(digits.data / 8 - 1, dtype=torch.float32)[torch.randperm(len(digits.data))]
    labels = torch.tensor(digits.target)
    train, held_out = images[:1200], images[1200:]
    features = classifier(torch.tensor(digits.data / 8 - 1, dtype=torch.float32), labels)

    generator = nn.Sequential(
        nn.Linear(LATENT, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 64), nn.Tanh()
    )
    discriminator = Discriminator()
    tasks = eq.Tasks(
        [
            eq.Task("fool", losses.non_saturating_generator, target=None),
            eq.Task("match", lambda pair: losses.feature_matching(*pair), target=None),
        ]
    )
    balancer = eq.Balancer(eq.NashMTL(), generator, tasks=tasks)
    for_generator = torch.optim.Adam(generator.parameters(), lr=5e-4, betas=(0.5, 0.99))
    for_discriminator = torch.optim.Adam(discriminator.parameters(), lr=5e-4, betas=(0.5, 0.99))

    @torch.no_grad()
    def distance() -> float:
        fakes = generator(torch.randn(len(held_out), LATENT, generator=torch.Generator().manual_seed(1)))
        return float(frechet_distance(features(held_out), features(fakes)))

    before = distance()
    for step in range(STEPS):
        real = train[torch.randint(len(train), (BATCH,))]
        fake = generator(torch.randn(BATCH, LATENT))

        for_discriminator.zero_grad()
        losses.minimax_discriminator(discriminator(real)[0], discriminator(fake.detach())[0]).backward()
        for_discriminator.step()

        discriminator.requires_grad_(False)
        logits, fake_features = discriminator(fake)
        for_generator.zero_grad()
        balancer(tasks.losses({"fool": logits, "match": (discriminator(real)[1], fake_features)})).backward()
        for_generator.step()
        discriminator.requires_grad_(True)
        if step % 500 == 0:
            print(f"step {step:4}  distance {distance():8.2f}  {balancer.record.weights}")
    print(f"Fréchet distance to held-out digits: {before:.2f} untrained, {distance():.2f} trained")


if __name__ == "__main__":
    main()
