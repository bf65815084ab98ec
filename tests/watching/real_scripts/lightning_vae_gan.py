"""A VAE-GAN (Larsen et al. 2016) in Lightning: two optimisers, two backward calls, by hand."""

import lightning as L
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class VAEGAN(L.LightningModule):
    def __init__(self, latent=8, kl_weight=0.1, adv_weight=0.1):
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 64), nn.ReLU(), nn.Linear(64, 64), nn.Sigmoid())
        self.discriminator = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))

    def configure_optimizers(self):
        generator = [*self.encoder.parameters(), *self.decoder.parameters()]
        return torch.optim.Adam(generator, 1e-3), torch.optim.Adam(self.discriminator.parameters(), 1e-3)

    def training_step(self, batch, batch_idx):
        (x,) = batch
        opt_g, opt_d = self.optimizers()
        mu, logvar = self.encoder(x).chunk(2, dim=1)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        fake = self.decoder(z)

        recon = F.binary_cross_entropy(fake, x)
        kl = -0.5 * torch.mean(1 + logvar - mu.pow(2) - logvar.exp())
        logits = self.discriminator(fake)
        adv = F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
        loss = recon + self.hparams.kl_weight * kl + self.hparams.adv_weight * adv
        self.toggle_optimizer(opt_g)
        opt_g.zero_grad()
        self.manual_backward(loss)
        opt_g.step()
        self.untoggle_optimizer(opt_g)

        real_logits, fake_logits = self.discriminator(x), self.discriminator(fake.detach())
        real_loss = F.binary_cross_entropy_with_logits(real_logits, torch.ones_like(real_logits))
        fake_loss = F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))
        d_loss = (real_loss + fake_loss) / 2
        self.toggle_optimizer(opt_d)
        opt_d.zero_grad()
        self.manual_backward(d_loss)
        opt_d.step()
        self.untoggle_optimizer(opt_d)


def digits(number=192):
    """Bars of eight kinds, with noise."""
    images = 0.1 * torch.rand(number, 8, 8)
    for i, image in enumerate(images):
        image[i % 8] += 0.8
    return images.flatten(1)


if __name__ == "__main__":
    L.seed_everything(0, verbose=False)
    model = VAEGAN()
    trainer = L.Trainer(
        max_epochs=1,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, DataLoader(TensorDataset(digits()), 16))
    torch.save(model.state_dict(), "model.pt")
