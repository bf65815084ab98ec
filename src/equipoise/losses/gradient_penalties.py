"""Gradient penalties: a discriminator whose slope by its input is bounded.

Gulrajani et al., Improved Training of Wasserstein GANs, NeurIPS 2017, eq. (3); Mescheder et al., Which Training Methods
for GANs do actually Converge?, ICML 2018, eq. (9) (R1) and its mirror on generated samples (R2).

The factors of the papers are the user's weights: λ of eq. (3), 10 there, and γ/2 of eq. (9) go to ``Task(weight=...)``
or before the loss. Each penalty trains the discriminator alone: samples are detached. It is differentiated twice, so
every operation of the discriminator must have a second derivative; neither the penalty nor the discriminator may be
compiled, as ``torch.compile`` has no second derivatives. Gradient methods take a penalty as any other loss. A
discriminator with further inputs comes as ``lambda images: discriminator(images, labels)``.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from equipoise.losses.checks import require_argument, require_dim, require_floating, require_same_shape, wide

__all__ = ["gradient_penalty", "r1_penalty", "r2_penalty"]

Discriminator = Callable[[Tensor], Tensor]


def gradient_penalty(
    discriminator: Discriminator,
    real: Tensor,
    fake: Tensor,
    *,
    target: float = 1.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """E (‖∇D(x)‖ − target)², x at a random place between a real and a generated sample.

    Args:
        discriminator: Samples [N, ...] to one logit each, [N] or [N, 1]; no batch normalisation, which makes a logit
            depend on other samples.
        real: Samples [N, ...].
        fake: Generated samples of the same shape.
        target: The slope's length, from 0; both sides of it cost.
        generator: Of the places, on the samples' device.

    Raises:
        ValueError: If shapes differ, there is more than one logit per sample, or they do not depend on the sample.

    >>> twice = lambda samples: 2 * samples.sum(dim=1)
    >>> gradient_penalty(twice, torch.zeros(3, 4), torch.ones(3, 4))  # a slope of length 2 · √4
    tensor(9.)
    """
    require_argument("target", target, low=0.0)
    require_same_shape(real=real, fake=fake)
    _require_samples("real", real)
    _require_samples("fake", fake)
    place = torch.rand(len(real), generator=generator, device=real.device, dtype=real.dtype)
    between = torch.lerp(fake.detach(), real.detach(), place.reshape(-1, *[1] * (real.dim() - 1)))
    # the norm of torch has the slope 0 at 0, a root of squares has none
    lengths: Tensor = torch.linalg.vector_norm(_slopes(discriminator, between), dim=1)
    return (lengths - target).square().mean()


def r1_penalty(discriminator: Discriminator, real: Tensor) -> Tensor:
    """E ‖∇D(real)‖²; the paper's R1 is γ/2 of it.

    Args:
        discriminator: Samples [N, ...] to one logit each, [N] or [N, 1].
        real: Samples [N, ...].

    Raises:
        ValueError: If there is more than one logit per sample, or they do not depend on the sample.

    >>> r1_penalty(lambda samples: 2 * samples.sum(dim=1), torch.zeros(3, 4))  # four slopes of 2
    tensor(16.)
    """
    _require_samples("real", real)
    return _slopes(discriminator, real).square().sum(dim=1).mean()


def r2_penalty(discriminator: Discriminator, fake: Tensor) -> Tensor:
    """E ‖∇D(fake)‖²: R1 at generated samples.

    Args:
        discriminator: Samples [N, ...] to one logit each, [N] or [N, 1].
        fake: Generated samples [N, ...]; the generator gets no gradient.

    Raises:
        ValueError: If there is more than one logit per sample, or they do not depend on the sample.

    >>> r2_penalty(lambda samples: samples.square().sum(dim=1), torch.ones(3, 4)).item()  # four slopes of 2
    16.0
    """
    _require_samples("fake", fake)
    return _slopes(discriminator, fake).square().sum(dim=1).mean()


def _slopes(discriminator: Discriminator, samples: Tensor) -> Tensor:
    """The logits' gradients by their samples [N, P], to be differentiated again."""
    with torch.enable_grad():
        samples = samples.detach().requires_grad_()
        logits = discriminator(samples)
        _require_logits(logits, samples)
        (slopes,) = torch.autograd.grad(
            logits.sum(), samples, create_graph=True, allow_unused=True, materialize_grads=True
        )
    return wide(slopes).flatten(1)


def _require_samples(name: str, samples: Tensor) -> None:
    require_floating(**{name: samples})
    require_dim(name, samples, "[N, ...], a batch of samples", least=2)


def _require_logits(logits: Tensor, samples: Tensor) -> None:
    if logits.shape not in ((len(samples),), (len(samples), 1)):
        raise ValueError(
            f"discriminator must give one logit per sample, [N] or [N, 1], got {tuple(logits.shape)} for "
            f"{tuple(samples.shape)}: average a patch discriminator's, as in lambda x: D(x).flatten(1).mean(dim=1)"
        )
    if not logits.requires_grad:
        raise ValueError("discriminator must not detach its input: its logits have no gradient by the samples")
