"""Lovász losses: 1 - Jaccard index made convex in the errors of the pixels, by sorting them.

Δ(errors) = Σ_i e_(i) (J_i - J_(i-1)), errors in descending order, J_i the Jaccard loss if the first i are wrong.

Berman et al., The Lovász-Softmax Loss, CVPR 2018, algorithm 1; the hinge errors are of Yu & Blaschko, ICML 2015.
"""

import torch
from torch import Tensor

from equipoise.losses.checks import require_alike, require_classes, require_dim, require_mask, require_within, wide
from equipoise.losses.module import FunctionLoss
from equipoise.losses.overlap import mean_over_present

__all__ = ["LovaszHingeLoss", "LovaszSoftmaxLoss", "lovasz_hinge", "lovasz_softmax"]


def lovasz_softmax(logits: Tensor, targets: Tensor, *, per_sample: bool = False, ignore_index: int = -100) -> Tensor:
    """Lovász extension of 1 - Jaccard at the errors |t - p|, the mean over the classes present; p = softmax(logits).

    Args:
        logits: [N, C, ...].
        targets: Classes [N, ...]. A class without a target pixel is left out of the mean.
        per_sample: Whether each sample's pixels make an index, not the batch's; a sample then averages its classes,
            and the loss averages the samples that have any.
        ignore_index: A target that does not count; all ignored: 0.

    Raises:
        ValueError: If shapes do not match, or a class is out of its range.

    >>> logits = torch.tensor([[0.25, 0.75], [0.5, 0.5]]).log()
    >>> lovasz_softmax(logits, torch.tensor([1, 0]))  # class 0: 0.5 · 1 + 0.25 · 0, class 1: 0.5 / 2 + 0.25 / 2
    tensor(0.4375)
    """
    require_classes(logits, targets, ignore_index=ignore_index)
    probabilities = wide(logits).softmax(dim=1).unsqueeze(-1).flatten(2)  # [N, C, S], also of [N, C]
    targets = targets.unsqueeze(-1).flatten(1)
    classes = torch.arange(logits.shape[1], device=targets.device)
    foreground = targets.unsqueeze(1) == classes.unsqueeze(1)
    errors = torch.where(foreground, 1 - probabilities, probabilities)
    counts = (targets != ignore_index).unsqueeze(1)
    foreground = foreground & counts
    losses = _extension(errors, foreground, counts, per_sample)
    return mean_over_present(losses, _rows(foreground, per_sample).any(dim=2))


def lovasz_hinge(logits: Tensor, targets: Tensor, *, mask: Tensor | None = None, per_sample: bool = False) -> Tensor:
    """Lovász extension of 1 - Jaccard at the hinge errors max(0, 1 - (2t - 1) z) of logits z, the mean over labels.

    A label without a positive pixel counts: one wrong pixel makes its Jaccard loss 1, so its loss is the worst error.

    Args:
        logits: [N, L, ...]; one label is [N, 1, ...].
        targets: 0 or 1, in floating point, of the same shape.
        mask: What counts, in bool, of the same shape; ``None``: everything. Nothing counts: 0.
        per_sample: Whether each sample's pixels make an index, not the batch's; the mean over the samples then.

    Raises:
        ValueError: If shapes differ, or a value is out of its range.

    >>> lovasz_hinge(torch.tensor([[[2.0, 0.0, -0.5]]]), torch.tensor([[[1.0, 1.0, 0.0]]]))  # 1 · 1/2 + 0.5 · 1/6
    tensor(0.5833)
    """
    require_alike(logits=logits, targets=targets)
    require_dim("logits", logits, "[N, L, ...] (one label: unsqueeze(1))", least=2)
    if mask is not None:
        require_mask(mask, logits=logits)
        targets = torch.where(mask, targets, 0)
    require_within("targets", targets, 0.0, 1.0, "give labels 0 or 1")
    logits, foreground = wide(logits).unsqueeze(-1).flatten(2), (targets > 0.5).unsqueeze(-1).flatten(2)
    errors = torch.where(foreground, 1 - logits, 1 + logits).relu()
    counts = torch.ones_like(foreground) if mask is None else mask.unsqueeze(-1).flatten(2)
    losses = _extension(errors, foreground & counts, counts, per_sample)
    return mean_over_present(losses, _rows(counts, per_sample).any(dim=2))


def _extension(errors: Tensor, foreground: Tensor, counts: Tensor, per_sample: bool) -> Tensor:
    """Losses [rows, C] of errors and foreground [N, C, S], where ``counts`` [N, 1 or C, S]."""
    # what does not count comes after every error above 0, and changes the index of none
    errors = _rows(errors.masked_fill(~counts, 0), per_sample)
    with torch.no_grad():
        slopes = _slopes(errors, _rows(foreground, per_sample))
    return (errors * slopes).sum(dim=2)


def _slopes(errors: Tensor, foreground: Tensor) -> Tensor:
    """J_i - J_(i-1) of each pixel, in the pixels' order [rows, C, S]: the gradient in the errors."""
    order = errors.argsort(dim=2, descending=True)
    hit = foreground.gather(2, order).cumsum(dim=2, dtype=errors.dtype)
    total = foreground.sum(dim=2, keepdim=True).to(errors.dtype)
    place = torch.arange(1, errors.shape[2] + 1, device=errors.device, dtype=errors.dtype)
    losses = 1 - (total - hit) / (total + place - hit)
    steps = losses.diff(dim=2, prepend=torch.zeros_like(losses[..., :1]))
    return torch.empty_like(errors).scatter(2, order, steps)


def _rows(values: Tensor, per_sample: bool) -> Tensor:
    """[N, C, S] as it is, or the batch in one row [1, C, N S]."""
    return values if per_sample else values.transpose(0, 1).flatten(1).unsqueeze(0)


class LovaszSoftmaxLoss(FunctionLoss):
    """``lovasz_softmax`` with its arguments."""

    function = staticmethod(lovasz_softmax)
    per_sample: bool = False
    ignore_index: int = -100


class LovaszHingeLoss(FunctionLoss):
    """``lovasz_hinge`` with its arguments."""

    function = staticmethod(lovasz_hinge)
    per_sample: bool = False
