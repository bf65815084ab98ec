"""GAN losses: a discriminator that tells real from fake, and a generator that it should not tell.

Goodfellow et al., Generative Adversarial Nets, NeurIPS 2014, eq. (1) and section 3; Mao et al., Least Squares
Generative Adversarial Networks, ICCV 2017, eq. (2) with a = 0, b = c = 1; Lim and Ye, Geometric GAN, 2017, and Miyato
et al., Spectral Normalization for Generative Adversarial Networks, ICLR 2018, eq. (16) and (17); Arjovsky et al.,
Wasserstein GAN, ICML 2017, eq. (2); Jolicoeur-Martineau, The relativistic discriminator, ICLR 2019.

Every loss is a mean over all logits: an expectation. Logits are [N, ...], one per sample or per patch, before any
sigmoid; batches of real and fake may differ in size unless they are paired. There are no arguments to hold, so the
functions are the losses, with the generator's logits as a task that needs no target:

>>> import equipoise as eq
>>> tasks = eq.Tasks([eq.Task("fool", hinge_generator, target=None), eq.Task("colour", torch.nn.L1Loss())])
>>> fake_logits, image = torch.tensor([[0.5], [1.5]]), torch.zeros(2, 3)
>>> tasks.losses({"fool": fake_logits, "colour": image}, {"colour": torch.ones(2, 3)})
{'fool': tensor(-1.), 'colour': tensor(1.)}

In the discriminator's step, detach the fake samples; in the generator's, give the optimiser the generator alone.
"""

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_dim, require_floating, require_same_shape, wide

__all__ = [
    "hinge_discriminator",
    "hinge_generator",
    "least_squares_discriminator",
    "least_squares_generator",
    "minimax_discriminator",
    "minimax_generator",
    "non_saturating_generator",
    "paired_relativistic_discriminator",
    "paired_relativistic_generator",
    "relativistic_discriminator",
    "relativistic_generator",
    "wasserstein_discriminator",
    "wasserstein_generator",
]


def minimax_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E −log D(real) + E −log(1 − D(fake)), D the logits' sigmoid: the sum of two cross-entropies, not their mean.

    Args:
        real_logits: Of real samples [N, ...].
        fake_logits: Of generated samples [M, ...].

    Raises:
        ValueError: If the logits differ in more than the batch, or are not floating point.

    >>> minimax_discriminator(torch.zeros(2), torch.zeros(3))  # 2 log 2
    tensor(1.3863)
    """
    real, fake = _both(real_logits, fake_logits)
    return _surprise(real) + _surprise(-fake)


def minimax_generator(fake_logits: Tensor) -> Tensor:
    """E log(1 − D(fake)): the game's own, which has next to no gradient where the discriminator is sure.

    Args:
        fake_logits: Of generated samples [N, ...], with the generator's gradient.

    Raises:
        ValueError: If the logits have no batch, or are not floating point.

    >>> minimax_generator(torch.zeros(2))
    tensor(-0.6931)
    """
    return -_surprise(-_logits("fake_logits", fake_logits))


def non_saturating_generator(fake_logits: Tensor) -> Tensor:
    """E −log D(fake): steepest where the discriminator is sure; goes with ``minimax_discriminator``.

    Args:
        fake_logits: Of generated samples [N, ...], with the generator's gradient.

    Raises:
        ValueError: If the logits have no batch, or are not floating point.

    >>> non_saturating_generator(torch.zeros(2))
    tensor(0.6931)
    """
    return _surprise(_logits("fake_logits", fake_logits))


def least_squares_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """½ E (real − 1)² + ½ E fake², of the raw outputs.

    Args:
        real_logits: Of real samples [N, ...].
        fake_logits: Of generated samples [M, ...].

    Raises:
        ValueError: If the logits differ in more than the batch, or are not floating point.

    >>> least_squares_discriminator(torch.zeros(2), torch.full((3,), 2.0))  # (1 + 4) / 2
    tensor(2.5000)
    """
    real, fake = _both(real_logits, fake_logits)
    return ((real - 1).square().mean() + fake.square().mean()) / 2


def least_squares_generator(fake_logits: Tensor) -> Tensor:
    """½ E (fake − 1)², of the raw outputs.

    Args:
        fake_logits: Of generated samples [N, ...], with the generator's gradient.

    Raises:
        ValueError: If the logits have no batch, or are not floating point.

    >>> least_squares_generator(torch.zeros(2))
    tensor(0.5000)
    """
    return (_logits("fake_logits", fake_logits) - 1).square().mean() / 2


def hinge_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E max(0, 1 − real) + E max(0, 1 + fake): what is right by a margin of 1 no longer counts.

    Args:
        real_logits: Of real samples [N, ...].
        fake_logits: Of generated samples [M, ...].

    Raises:
        ValueError: If the logits differ in more than the batch, or are not floating point.

    >>> hinge_discriminator(torch.tensor([0.5, 3.0]), torch.tensor([-0.5]))  # 0.5 / 2 + 0.5
    tensor(0.7500)
    """
    real, fake = _both(real_logits, fake_logits)
    return torch.relu(1 - real).mean() + torch.relu(1 + fake).mean()


def hinge_generator(fake_logits: Tensor) -> Tensor:
    """−E fake; goes with ``hinge_discriminator``.

    Args:
        fake_logits: Of generated samples [N, ...], with the generator's gradient.

    Raises:
        ValueError: If the logits have no batch, or are not floating point.

    >>> hinge_generator(torch.tensor([0.5, 1.5]))
    tensor(-1.)
    """
    return -_logits("fake_logits", fake_logits).mean()


def wasserstein_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E fake − E real: minus the Wasserstein-1 distance, if the critic is 1-Lipschitz; see ``gradient_penalty``.

    Args:
        real_logits: The critic's values of real samples [N, ...].
        fake_logits: The critic's values of generated samples [M, ...].

    Raises:
        ValueError: If the logits differ in more than the batch, or are not floating point.

    >>> wasserstein_discriminator(torch.tensor([1.0, 3.0]), torch.tensor([0.5]))
    tensor(-1.5000)
    """
    real, fake = _both(real_logits, fake_logits)
    return fake.mean() - real.mean()


def wasserstein_generator(fake_logits: Tensor) -> Tensor:
    """−E fake; goes with ``wasserstein_discriminator``.

    Args:
        fake_logits: The critic's values of generated samples [N, ...], with the generator's gradient.

    Raises:
        ValueError: If the logits have no batch, or are not floating point.

    >>> wasserstein_generator(torch.tensor([0.5, 1.5]))
    tensor(-1.)
    """
    return -_logits("fake_logits", fake_logits).mean()


def relativistic_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E −log σ(real − E fake) + E −log σ(E real − fake): the relativistic average GAN (RaSGAN).

    Args:
        real_logits: Of real samples [N, ...].
        fake_logits: Of generated samples [M, ...].

    Raises:
        ValueError: If the logits differ in more than the batch, or are not floating point.

    >>> relativistic_discriminator(torch.zeros(2), torch.full((3,), -50.0))  # all real are above the mean of the fake
    tensor(3.8575e-22)
    """
    real, fake = _both(real_logits, fake_logits)
    return _surprise(real - fake.mean()) + _surprise(real.mean() - fake)


def relativistic_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E −log σ(fake − E real) + E −log σ(E fake − real): the discriminator's with real and fake exchanged.

    Args:
        real_logits: Of real samples [N, ...].
        fake_logits: Of generated samples [M, ...], with the generator's gradient.

    Raises:
        ValueError: If the logits differ in more than the batch, or are not floating point.

    >>> relativistic_generator(torch.zeros(2), torch.zeros(3))  # 2 log 2
    tensor(1.3863)
    """
    real, fake = _both(real_logits, fake_logits)
    return _surprise(fake - real.mean()) + _surprise(fake.mean() - real)


def paired_relativistic_discriminator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E −log σ(real − fake), of pairs: the relativistic GAN (RSGAN), also called RpGAN.

    Args:
        real_logits: Of real samples [N, ...].
        fake_logits: Of generated samples of the same shape: each is compared with its partner.

    Raises:
        ValueError: If shapes differ, or the logits are not floating point.

    >>> paired_relativistic_discriminator(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
    tensor(0.6931)
    """
    real, fake = _pairs(real_logits, fake_logits)
    return _surprise(real - fake)


def paired_relativistic_generator(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """E −log σ(fake − real), of pairs; goes with ``paired_relativistic_discriminator``.

    Args:
        real_logits: Of real samples [N, ...].
        fake_logits: Of generated samples of the same shape, with the generator's gradient.

    Raises:
        ValueError: If shapes differ, or the logits are not floating point.

    >>> paired_relativistic_generator(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 2.0]))
    tensor(0.6931)
    """
    real, fake = _pairs(real_logits, fake_logits)
    return _surprise(fake - real)


def _surprise(logits: Tensor) -> Tensor:
    """E −log σ(logits)."""
    return -F.logsigmoid(logits).mean()


def _logits(name: str, logits: Tensor) -> Tensor:
    require_floating(**{name: logits})
    require_dim(name, logits, "[N, ...]", least=1)
    return wide(logits)


def _both(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of one shape, but for the batch."""
    real, fake = _logits("real_logits", real_logits), _logits("fake_logits", fake_logits)
    if real.shape[1:] != fake.shape[1:]:
        raise ValueError(
            f"real_logits and fake_logits must have the same shape after the batch, got {tuple(real.shape)} and "
            f"{tuple(fake.shape)}: take both from one discriminator, or squeeze(-1) the longer"
        )
    return real, fake


def _pairs(real_logits: Tensor, fake_logits: Tensor) -> tuple[Tensor, Tensor]:
    require_same_shape(real_logits=real_logits, fake_logits=fake_logits)
    return _both(real_logits, fake_logits)
