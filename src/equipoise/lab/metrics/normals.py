"""Surface normals: the angle between predicted and true direction, in degrees.

Fouhey, Gupta, Hebert, Data-Driven 3D Primitives for Single Image Understanding, ICCV 2013, sec. 5: mean, median, and
the shares within 11.25, 22.5 and 30 degrees. Outputs and targets are [N, 3, ...], of any length. A pixel counts where
its target is finite and not zero, and the mask [N, ...] or [N, 1, ...], if there is one, is True.
"""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from equipoise.lab.metrics.mean import MeanOf
from equipoise.losses.checks import require_same_shape


def normal_angles(outputs: Tensor, targets: Tensor, mask: Tensor | None = None) -> Tensor:
    """atan2(|n × n*|, n · n*) in degrees [M], 0 to 180, in float64, of the M pixels that count.

    An output of zero has no direction and is counted as 90°, the mean angle of a random one.

    Args:
        outputs: Predicted normals n, [N, 3, ...]; their norm does not matter.
        targets: True normals n*, of the same shape; a pixel with zeros, NaN or inf has no label.
        mask: Of [N, ...] or [N, 1, ...]: where it is False a pixel does not count.

    Raises:
        ValueError: If outputs and targets differ in shape, are not [N, 3, ...], or the mask does not fit them.

    >>> normal_angles(torch.tensor([[0.0, 2.0, 0.0]]), torch.tensor([[1.0, 0.0, 0.0]]))
    tensor([90.], dtype=torch.float64)
    """
    require_same_shape(outputs=outputs, targets=targets)
    if targets.dim() < 2 or targets.shape[1] != 3:
        raise ValueError(f"targets must be [N, 3, ...], got {tuple(targets.shape)}: put the three coordinates second")
    counts = targets.isfinite().all(dim=1) & (targets != 0).any(dim=1)
    if mask is not None:
        mask = mask.squeeze(1) if mask.dim() == targets.dim() else mask
        require_same_shape(mask=mask, pixels=counts)
        counts &= mask.bool()
    predicted, true = (normals.movedim(1, -1)[counts].double() for normals in (outputs, targets))  # [M, 3] each
    sine = torch.linalg.vector_norm(torch.linalg.cross(predicted, true), dim=-1)
    angles = torch.rad2deg(torch.atan2(sine, (predicted * true).sum(dim=-1)))
    return angles.where((predicted != 0).any(dim=-1), 90.0)


class NormalsMean(MeanOf):
    """Mean angle, 0 to 180 degrees."""

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        return normal_angles(outputs, targets, mask)


class NormalsWithin(MeanOf):
    """Share of pixels with an angle below ``degrees``, 0 to 1.

    Args:
        degrees: 11.25, 22.5 or 30 as in the paper.
        options: Those of ``torchmetrics.Metric``.

    Raises:
        ValueError: If ``degrees`` is not between 0 and 180.
    """

    higher_is_better = True
    plot_upper_bound: float = 1.0

    def __init__(self, degrees: float, **options: Any) -> None:
        super().__init__(**options)
        if not 0 < degrees <= 180:
            raise ValueError(f"degrees must lie in (0, 180], got {degrees!r}: 11.25, 22.5 and 30 are usual")
        self.degrees = degrees

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        return normal_angles(outputs, targets, mask) < self.degrees


class NormalsMedian(Metric):
    """Median angle, 0 to 180 degrees; the mean of the middle two of an even number.

    Keeps every angle, 4 bytes for each pixel that counts: there is no exact median without.
    """

    full_state_update = False
    higher_is_better: bool = False
    plot_lower_bound: float = 0.0
    angles: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("angles", [], dist_reduce_fx="cat")

    def update(self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None) -> None:
        """Take one batch; where ``mask`` is False, nothing counts."""
        self.angles.append(normal_angles(outputs.detach(), targets, mask).float())

    def compute(self) -> Tensor:
        """The median so far, a scalar; NaN where nothing counted."""
        angles = dim_zero_cat(self.angles).sort().values if len(self.angles) else torch.empty(0)
        if not len(angles):
            return torch.tensor(torch.nan)
        return (angles[(len(angles) - 1) // 2] + angles[len(angles) // 2]) / 2
