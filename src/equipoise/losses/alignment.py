"""Alignment of paired features, as of images and their texts: a pair belongs together, all other pairs do not.

InfoNCE: van den Oord et al., Representation Learning with Contrastive Predictive Coding, 2018, eq. (4); symmetric as in
Radford et al., Learning Transferable Visual Models from Natural Language Supervision (CLIP), ICML 2021, figure 3.
SigLIP: Zhai et al., Sigmoid Loss for Language Image Pre-Training, ICCV 2023, algorithm 1.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from equipoise.losses.checks import require_argument, sees_values, wide
from equipoise.losses.features import both, products, require_pairs, unit
from equipoise.losses.gather import gather_with_gradient
from equipoise.losses.module import LossModule
from equipoise.losses.reduction import Reduction, reduced, require_reduction

__all__ = ["InfoNCELoss", "SigLIPLoss", "info_nce", "siglip"]


def info_nce(
    first: Tensor, second: Tensor, *, temperature: float | Tensor = 0.07, reduction: Reduction = "mean"
) -> Tensor:
    """Cross-entropy of finding the partner by cosine / temperature, the mean of both directions: the loss of CLIP.

    Args:
        first: Features [N, D] of any length; row i belongs to row i of ``second``.
        second: Features [N, D].
        temperature: Positive; a tensor of one element may be learned.
        reduction: As in torch, over the N pairs.

    Raises:
        ValueError: If shapes differ, or the temperature is not positive.

    >>> info_nce(torch.eye(2), torch.eye(2), temperature=1.0)
    tensor(0.3133)
    """
    require_pairs(first, second)
    _require_positive("temperature", temperature)
    first, second = wide(first), wide(second)
    logits = products(unit(first) / temperature, unit(second))
    partner = torch.arange(len(logits), device=logits.device)
    to_second = F.cross_entropy(logits, partner, reduction="none")
    to_first = F.cross_entropy(logits.T, partner, reduction="none")
    return reduced((to_second + to_first) / 2, reduction)


def siglip(
    first: Tensor,
    second: Tensor,
    *,
    scale: float | Tensor = 10.0,
    bias: float | Tensor = -10.0,
    reduction: Reduction = "mean",
) -> Tensor:
    """−log σ(±(scale · cosine + bias)), + for a pair and − for all others, summed over the others and averaged over N.

    Args:
        first: Features [N, D] of any length; row i belongs to row i of ``second``.
        second: Features [N, D].
        scale: Positive, the inverse temperature exp(t'); a tensor of one element may be learned.
        bias: Negative at the start, as most pairs do not belong together; may be learned.
        reduction: As in torch, over the N rows of ``first``.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> siglip(torch.ones(1, 1), torch.ones(1, 1), scale=10.0, bias=-10.0)
    tensor(0.6931)
    """
    require_pairs(first, second)
    _require_positive("scale", scale)
    _require_number("bias", bias)
    first, second = wide(first), wide(second)
    logits = products(unit(first) * scale, unit(second)) + bias
    signed = logits.diagonal_scatter(-logits.diagonal())
    return reduced(F.softplus(signed).sum(dim=1), reduction)  # softplus(x) = -log σ(-x)


class InfoNCELoss(LossModule):
    """``info_nce`` with a learned temperature, over the batches of all processes.

    The parameter is ``log_scale`` = −log temperature. As in CLIP its exponential never exceeds ``max_scale``: in
    training, ``forward`` first clips the parameter itself, where the optimiser may have left it beyond. Leave it out
    of weight decay.

    Args:
        initial_temperature: At the start; ``temperature`` is that of now.
        learnable: Whether it is learned.
        max_scale: The largest 1 / temperature of a learned one.
        gather: Whether to join the batches of all processes, where a process group is initialised; every process
            then computes the [N_all, N_all] matrix (see ``gather_with_gradient``).
        reduction: As in torch, over the pairs.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        initial_temperature: float = 0.07,
        learnable: bool = True,
        max_scale: float = 100.0,
        gather: bool = True,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        require_argument("initial_temperature", initial_temperature, low=0.0, open_low=True)
        require_argument("max_scale", max_scale, low=0.0, open_low=True)
        require_reduction(reduction)
        if learnable and 1 / initial_temperature > max_scale:
            raise ValueError(
                f"initial_temperature must be at least 1 / max_scale = {1 / max_scale:g}, got {initial_temperature!r}: "
                "raise either"
            )
        self.initial_temperature, self.learnable, self.max_scale = initial_temperature, learnable, max_scale
        self.gather, self.reduction = gather, reduction
        if learnable:
            self.log_scale = nn.Parameter(torch.tensor(-math.log(initial_temperature)))

    def forward(self, features: tuple[Tensor, Tensor]) -> Tensor:
        """Of a pair of features [N, D], as ``eq.Task("align", InfoNCELoss(), target=None)`` hands it over."""
        first, second = _joined(features, self.gather)
        if (
            self.learnable and self.training
        ):  # a clamp of the value alone would leave the parameter beyond, gradientless
            self.log_scale.data.clamp_(max=math.log(self.max_scale))  # .data: a graph may still wait for its backward
        return info_nce(first, second, temperature=self.temperature, reduction=self.reduction)

    @property
    def temperature(self) -> float | Tensor:
        """That of now."""
        if not self.learnable:
            return self.initial_temperature
        limit = math.log(self.max_scale)  # at which a clamp has no gradient from torch 2.15 on
        return torch.where(self.log_scale > limit, limit, self.log_scale).neg().exp()


class SigLIPLoss(LossModule):
    """``siglip`` with a learned scale and bias, over the batches of all processes.

    The parameters are ``log_scale``, t' of the paper, and ``bias``. Leave both out of weight decay.

    Args:
        initial_scale: exp t' at the start.
        initial_bias: b at the start.
        gather: Whether to join the batches of all processes, where a process group is initialised; every process
            then computes the [N_all, N_all] matrix (see ``gather_with_gradient``).
        reduction: As in torch, over the rows of the first.

    Raises:
        ValueError: If an argument is out of its range.
    """

    def __init__(
        self,
        initial_scale: float = 10.0,
        initial_bias: float = -10.0,
        gather: bool = True,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__()
        require_argument("initial_scale", initial_scale, low=0.0, open_low=True)
        _require_number("initial_bias", initial_bias)
        require_reduction(reduction)
        self.initial_scale, self.initial_bias = initial_scale, initial_bias
        self.gather, self.reduction = gather, reduction
        self.log_scale = nn.Parameter(torch.tensor(math.log(initial_scale)))
        self.bias = nn.Parameter(torch.tensor(float(initial_bias)))

    def forward(self, features: tuple[Tensor, Tensor]) -> Tensor:
        """Of a pair of features [N, D], as ``eq.Task("align", SigLIPLoss(), target=None)`` hands it over."""
        first, second = _joined(features, self.gather)
        return siglip(first, second, scale=self.log_scale.exp(), bias=self.bias, reduction=self.reduction)


def _joined(features: tuple[Tensor, Tensor], gather: bool) -> tuple[Tensor, Tensor]:
    first, second = both(features)
    require_pairs(first, second)
    return (gather_with_gradient(first), gather_with_gradient(second)) if gather else (first, second)


def _require_positive(name: str, value: float | Tensor) -> None:
    if not isinstance(value, Tensor):
        require_argument(name, value, low=0.0, open_low=True)
        return
    _require_number(name, value)
    if sees_values(value) and not value > 0:
        raise ValueError(f"{name} must be positive, got {value.item():g}: learn its logarithm")


def _require_number(name: str, value: float | Tensor) -> None:
    if isinstance(value, Tensor):
        if value.numel() != 1 or not value.is_floating_point():
            raise ValueError(
                f"{name} must be a number or a floating-point tensor of one element, got {value.dtype} of shape "
                f"{tuple(value.shape)}"
            )
    elif isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
