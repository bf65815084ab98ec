"""Variational losses: what a code costs over a standard normal prior.

Kingma and Welling, Auto-Encoding Variational Bayes, ICLR 2014, appendix B; free bits: Kingma et al., Improving
Variational Inference with Inverse Autoregressive Flow, NeurIPS 2016, eq. (15).
"""

import torch
from torch import Tensor

from equipoise.losses.checks import require_alike, require_argument, require_dim, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced, require_reduction

__all__ = ["GaussianKLLoss", "gaussian_kl"]


def gaussian_kl(mean: Tensor, log_variance: Tensor, *, free_bits: float = 0.0, reduction: Reduction = "mean") -> Tensor:
    """Σ_latents ½ (mean² + variance − 1 − log variance): KL(N(mean, variance) ‖ N(0, 1)) of each sample, in nats.

    With free bits, each latent's mean over the batch counts λ at least: Σ_latents max(λ, E KL). A latent below λ then
    has no gradient, so the code may hold that much for nothing.

    Args:
        mean: Of the posterior [N, D, ...]; all but the first dimension are latents.
        log_variance: Of the same shape; not the log of the standard deviation.
        free_bits: λ from 0, in nats per latent in spite of its name. Above 0 the loss belongs to the batch, so
            ``reduction`` must be ``"mean"``.
        reduction: Over the samples, as in torch; ``"none"`` gives [N]. Never a mean over latents.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> gaussian_kl(torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2))  # 2² / 2
    tensor(2.)
    >>> gaussian_kl(torch.tensor([[2.0, 0.0]]), torch.zeros(1, 2), free_bits=0.5)  # the second latent counts 0.5
    tensor(2.5000)
    """
    require_alike(mean=mean, log_variance=log_variance)
    require_dim("mean", mean, "[N, D, ...], a batch of latents", least=2)
    _require_arguments(free_bits, reduction)
    mean, log_variance = wide(mean), wide(log_variance)
    # variance − 1 keeps its digits near the prior
    divergences = (mean.square() + torch.expm1(log_variance) - log_variance) / 2
    if free_bits > 0:
        return divergences.mean(dim=0).clamp(min=free_bits).sum()
    return reduced(divergences.flatten(1).sum(dim=1), reduction)


def _require_arguments(free_bits: float, reduction: Reduction) -> None:
    require_argument("free_bits", free_bits, low=0.0)
    require_reduction(reduction)
    if free_bits > 0 and reduction != "mean":
        raise ValueError(f"reduction must be 'mean' with free_bits, which are of the batch's mean, got {reduction!r}")


class GaussianKLLoss(FunctionLoss):
    """``gaussian_kl`` with its arguments; for a task without a target, whose output is (mean, log_variance).

    >>> import equipoise as eq
    >>> tasks = eq.Tasks([eq.Task("code", GaussianKLLoss(), target=None, weight=0.1)])
    >>> tasks.losses({"code": (torch.ones(3, 2), torch.zeros(3, 2))})
    {'code': tensor(1.)}
    """

    function = staticmethod(gaussian_kl)
    check = staticmethod(_require_arguments)
    free_bits: float = 0.0
    reduction: Reduction = "mean"

    def forward(self, posterior: tuple[Tensor, Tensor]) -> Tensor:
        """Of a pair (mean, log_variance)."""
        if isinstance(posterior, Tensor) or len(posterior) != 2:
            raise ValueError(
                f"posterior must be a pair (mean, log_variance), got {type(posterior).__name__} of {len(posterior)}: "
                "split it, as with output.chunk(2, dim=1)"
            )
        mean, log_variance = posterior
        return gaussian_kl(mean, log_variance, **self.arguments)
