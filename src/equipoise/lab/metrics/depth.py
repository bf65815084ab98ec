"""Depth: absolute and relative error, and the share within a factor.

Eigen, Puhrsch, Fergus, Depth Map Prediction from a Single Image using a Multi-Scale Deep Network, NeurIPS 2014,
sec. 4.2.
Outputs and targets have one shape, in one unit. A pixel counts where its target is finite and positive, and the mask,
if there is one, is True.
"""

from typing import Any

import torch
from torch import Tensor

from equipoise.lab.metrics.mean import MeanOf
from equipoise.losses.checks import require_same_shape


def depth_pairs(outputs: Tensor, targets: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Outputs and targets [M], in float64, of the pixels that count.

    Raises:
        ValueError: If outputs, targets and mask differ in shape.

    >>> depth_pairs(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 0.0, torch.nan]))
    (tensor([1.], dtype=torch.float64), tensor([2.], dtype=torch.float64))
    """
    require_same_shape(outputs=outputs, targets=targets)
    counts = targets.isfinite() & (targets > 0)
    if mask is not None:
        require_same_shape(mask=mask, targets=targets)
        counts &= mask.bool()
    return outputs[counts].double(), targets[counts].double()


class DepthAbsoluteError(MeanOf):
    """mean |d - d*|, in the unit of the depths."""

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        predicted, true = depth_pairs(outputs, targets, mask)
        return (predicted - true).abs()


class DepthRelativeError(MeanOf):
    """mean |d - d*| / d*."""

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        predicted, true = depth_pairs(outputs, targets, mask)
        return (predicted - true).abs() / true


class DepthRMSE(MeanOf):
    """sqrt(mean (d - d*)²) over all pixels of all batches, in the unit of the depths."""

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        predicted, true = depth_pairs(outputs, targets, mask)
        return (predicted - true).square()

    def compute(self) -> Tensor:
        """The root of the mean so far, a scalar."""
        return super().compute().sqrt()


class DepthDelta(MeanOf):
    """Share of pixels with max(d / d*, d* / d) < 1.25^power, 0 to 1; a depth that is not positive is never among them.

    Args:
        power: 1, 2 or 3 as in the paper; any positive number.
        options: Those of ``torchmetrics.Metric``.

    Raises:
        ValueError: If ``power`` is not positive.
    """

    higher_is_better = True
    plot_upper_bound: float = 1.0

    def __init__(self, power: float = 1, **options: Any) -> None:
        super().__init__(**options)
        if not power > 0:
            raise ValueError(f"power must be positive, got {power!r}: 1, 2 and 3 are usual")
        self.power = power

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        predicted, true = depth_pairs(outputs, targets, mask)
        ratio = torch.maximum(predicted / true, true / predicted)
        return torch.logical_and(predicted > 0, ratio < 1.25**self.power)
