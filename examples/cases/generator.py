"""A generator of digits with three losses: rebuild a digit, fool a discriminator, match the pixels' means.

    equipoise compare examples/cases/generator.py:make_case --methods sum,uw,nash-mtl --seeds 3

An autoencoder whose decoder is a GAN's generator too (Larsen et al., Autoencoding beyond pixels using a learned
similarity metric, ICML 2016). The discriminator belongs to the task that it serves and learns in the same step: its own
loss sees fakes without their gradient, the generator's loss sees it frozen. So a method balances the generator alone.
"""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.func import functional_call

import equipoise as eq
from equipoise import losses
from equipoise.lab.cases import Case, Metric
from equipoise.lab.data.arrays import Arrays

LATENT, PIXELS = 16, 64
SPLITS = {"train": (0, 1000), "validation": (1000, 1400), "test": (1400, 1797)}  # by who wrote them


def energy_distance(fake, real):
    """2 E|x - y| - E|x - x'| - E|y - y'|, 0 where both have one distribution (Székely and Rizzo 2013, eq. (5))."""
    fake = fake[:, :PIXELS]
    pairs = (2 * torch.cdist(fake, real).mean(), torch.cdist(fake, fake).mean(), torch.cdist(real, real).mean())
    return float(pairs[0] - pairs[1] - pairs[2])


def adversarial(output, _):
    """Of fakes [N, 64] beside three logits: the fake's by the frozen discriminator, the fake's, a real one's."""
    frozen, fake, real = output[:, PIXELS:].unbind(1)
    return losses.non_saturating_generator(frozen) + losses.minimax_discriminator(real, fake)


def moments(fake, real):
    """Squared error of the batch's mean and deviation of every pixel."""
    return sum((of(fake, 0) - of(real, 0)).square().mean() for of in (torch.mean, torch.std))


class Generator(nn.Module):
    """Latents to digits: from the encoder's for "rebuild", from noise for "fool" and "match"."""

    def __init__(self, names):
        super().__init__()
        self.generator = nn.Sequential(
            nn.Linear(LATENT, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, PIXELS), nn.Tanh()
        )
        if "rebuild" in names:
            self.encoder = nn.Sequential(
                nn.Linear(PIXELS, 128), nn.ReLU(), nn.Linear(128, LATENT), nn.LayerNorm(LATENT)
            )
        if "fool" in names:
            self.discriminator = nn.Sequential(
                nn.Linear(PIXELS, 128), nn.LeakyReLU(0.2), nn.Dropout(0.3), nn.Linear(128, 1), nn.Flatten(0)
            )
        self.names = names

    def forward(self, digits):
        fixed = None if self.training else torch.Generator(digits.device).manual_seed(0)
        fake = self.generator(torch.randn(len(digits), LATENT, generator=fixed, device=digits.device))
        outputs = {"match": fake}
        if "rebuild" in self.names:
            outputs["rebuild"] = self.generator(self.encoder(digits))
        if "fool" in self.names:
            weights = {name: weight.detach() for name, weight in self.discriminator.named_parameters()}
            frozen = functional_call(self.discriminator, weights, fake)
            logits = frozen, self.discriminator(fake.detach()), self.discriminator(digits)
            outputs["fool"] = torch.cat([fake, torch.stack(logits, 1)], dim=1)
        return {name: outputs[name] for name in self.names}


def make_case():
    digits = torch.tensor(load_digits().data, dtype=torch.float32) / 8 - 1
    names = {"rebuild": nn.MSELoss(), "fool": adversarial, "match": moments}
    tasks = eq.Tasks([eq.Task(name, loss, target="digit") for name, loss in names.items()])
    data = {name: Arrays(digits[slice(*rows)], {"digit": digits[slice(*rows)]}) for name, rows in SPLITS.items()}
    mean = digits[:1000].mean(0).expand(400, -1)
    still = energy_distance(mean, data["validation"].inputs)  # of the mean digit, over and over
    distance = Metric("energy-distance", higher_is_better=False, perfect=0.0, trivial=still, compute=energy_distance)
    off = moments(mean, data["validation"].inputs).item()
    error = Metric(
        "moment-error", higher_is_better=False, perfect=0.0, trivial=off, compute=lambda *of: moments(*of).item()
    )
    metrics = {"rebuild": ["rmse"], "fool": [distance], "match": [error, distance]}
    return Case("generator", tasks, data, Generator, metrics, 64, epochs=60, patience=20, learning_rate=1e-3)
