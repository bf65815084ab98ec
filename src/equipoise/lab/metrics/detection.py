"""Detectors: are the objects found, and how well do the boxes fit?

Everingham et al., The Pascal Visual Object Classes Challenge, IJCV 2010, sec. 4.2, with the area under the whole curve,
as the challenge has it from 2010 on: average precision. Caesar et al., nuScenes, CVPR 2020, sec. 3.1: the same by the
distance of centres. torchmetrics' mean average precision needs torchvision and pycocotools.

Outputs [N, K, 6] are class, x1, y1, x2, y2, score of what is found in each picture; targets [N, M, 5] are class, x1,
y1, x2, y2 of what is there. Rows of NaN fill up both.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from equipoise.lab.metrics.mean import MeanOf
from equipoise.losses import iou


def average_precision(right: Tensor, there: int) -> Tensor:
    """Area under max {precision at recall r' >= r}, over r from 0 to 1, a scalar.

    Args:
        right: Of everything found, the surest first, whether it is an object, bool [M].
        there: How many objects there are, from 1.

    >>> average_precision(torch.tensor([True, False, True]), there=4)  # 1/4 · 1 + 1/4 · 2/3
    tensor(0.4167, dtype=torch.float64)
    """
    ranks = torch.arange(1, len(right) + 1, dtype=torch.float64, device=right.device)
    precision = right.double().cumsum(dim=0) / ranks
    best_from_here = precision.flip(0).cummax(dim=0).values.flip(0) if len(right) else precision
    return best_from_here[right].sum() / there


class _OfFoundObjects(Metric):
    """Mean over the classes that are there of ``average_precision``, 0 to 1; NaN where nothing is there at all.

    What is found, the surest first, is held against the object of its class in its picture that it fits best. It is
    right if it fits well enough and nothing surer was right about that object.
    """

    full_state_update = False
    higher_is_better: bool = True
    plot_lower_bound: float = 0.0
    plot_upper_bound: float = 1.0
    found: list[Tensor]
    scores: list[Tensor]
    right: list[Tensor]
    there: list[Tensor]

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        for state in ("found", "scores", "right", "there"):  # classes, of each; classes
            self.add_state(state, [], dist_reduce_fx="cat")

    def fits(self, found: Tensor, there: Tensor) -> Tensor:
        """How well boxes [..., 4] fit boxes that are there [..., 4]; 0 or more: well enough."""
        raise NotImplementedError

    def update(self, outputs: Tensor, targets: Tensor) -> None:
        """Take one batch of pictures."""
        _require_rows(outputs, targets)
        scores = outputs[:, :, 5].masked_fill(outputs[:, :, 0].isnan(), -torch.inf)
        order = scores.argsort(dim=1, descending=True, stable=True)
        outputs = outputs.detach().gather(1, order[:, :, None].expand_as(outputs))
        is_found = ~outputs[:, :, 0].isnan()
        self.right.append(self._right(outputs, targets)[is_found])
        self.found.append(outputs[:, :, 0][is_found])
        self.scores.append(outputs[:, :, 5][is_found])
        self.there.append(targets[:, :, 0][~targets[:, :, 0].isnan()])

    def compute(self) -> Tensor:
        """The mean so far, a scalar."""
        found, scores, right, there = map(dim_zero_cat, (self.found, self.scores, self.right, self.there))
        order = scores.argsort(descending=True, stable=True)
        found, right = found[order], right[order]
        classes, counts = there.unique(return_counts=True)
        each = [average_precision(right[found == one], int(n)) for one, n in zip(classes, counts, strict=True)]
        return torch.stack(each).mean() if each else torch.tensor(torch.nan)

    def _right(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Of everything found, the surest first, whether it is an object, bool [N, K]; all pictures at once."""
        targets = functional.pad(targets, (0, 0, 0, 1), value=torch.nan)  # so that there is a row
        same = outputs[:, :, None, 0] == targets[:, None, :, 0]  # NaN is no class
        boxes, there = (rows[:, :, 1:5].nan_to_num(0.0) for rows in (outputs, targets))
        fits = self.fits(boxes[:, :, None], there[:, None]).masked_fill(~same, -torch.inf)  # [N, K, M + 1]
        best, places = fits.max(dim=2)
        taken = torch.zeros_like(targets[:, :, 0], dtype=torch.bool)
        right = best >= 0
        for k in range(outputs.shape[1]):
            place = places[:, k, None]
            before = taken.gather(1, place)
            taken.scatter_(1, place, before | right[:, k, None])
            right[:, k] &= ~before[:, 0]
        return right


class MeanAveragePrecision(_OfFoundObjects):
    """Mean average precision of boxes, 0 to 1, of which those fit that overlap an object by ``overlap`` at least.

    Args:
        overlap: The smallest intersection over union, above 0, at most 1.
        options: Those of ``torchmetrics.Metric``.

    Raises:
        ValueError: If ``overlap`` is out of its range.
    """

    def __init__(self, overlap: float = 0.5, **options: Any) -> None:
        super().__init__(**options)
        if not 0 < overlap <= 1:
            raise ValueError(f"overlap must lie in (0, 1], got {overlap!r}: 0.5 is usual")
        self.overlap = overlap

    def fits(self, found: Tensor, there: Tensor) -> Tensor:
        """Their intersection over union, less ``overlap``."""
        pairs = torch.broadcast_tensors(found, there)
        overlaps = 1 - iou(*(boxes.reshape(-1, 4) for boxes in pairs), reduction="none")
        return overlaps.view(pairs[0].shape[:-1]) - self.overlap


class CentreMeanAveragePrecision(_OfFoundObjects):
    """Mean average precision of centres, 0 to 1, of which those fit that are at most ``distance`` from an object's.

    Args:
        distance: In the unit of the boxes, from 0.
        options: Those of ``torchmetrics.Metric``.

    Raises:
        ValueError: If ``distance`` is negative.
    """

    def __init__(self, distance: float, **options: Any) -> None:
        super().__init__(**options)
        if not distance >= 0:
            raise ValueError(f"distance must be 0 or more, got {distance!r}")
        self.distance = distance

    def fits(self, found: Tensor, there: Tensor) -> Tensor:
        """``distance`` less the one between their centres."""
        between = (found[..., :2] + found[..., 2:] - there[..., :2] - there[..., 2:]) / 2
        return self.distance - between.square().sum(dim=-1).sqrt()


class DenseIoU(MeanOf):
    """Mean intersection over union, 0 to 1, of boxes as ``DenseGIoULoss`` takes them: at the cells that hold an object.

    Outputs and targets are distances left, top, right, bottom [N, 4, ...]; targets are NaN where no object is.
    """

    higher_is_better = True
    plot_upper_bound: float = 1.0

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        present = ~targets.isnan().any(dim=1)
        if mask is not None:  # by cell [N, ...]
            present &= mask
        pair = (sides.movedim(1, -1)[present] for sides in (outputs, targets))
        return 1 - iou(*(torch.cat([-sides[:, :2], sides[:, 2:]], dim=1) for sides in pair), reduction="none")


def _require_rows(outputs: Tensor, targets: Tensor) -> None:
    if outputs.dim() != 3 or outputs.shape[2] != 6 or targets.dim() != 3 or targets.shape[2] != 5:
        raise ValueError(
            "outputs must be [N, K, 6], of class, x1, y1, x2, y2, score, and targets [N, M, 5], of class, x1, y1, x2, "
            f"y2, got {tuple(outputs.shape)} and {tuple(targets.shape)}"
        )
    if len(outputs) != len(targets):
        raise ValueError(f"outputs and targets must be of the same pictures, got {len(outputs)} and {len(targets)}")
