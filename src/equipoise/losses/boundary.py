"""Boundary loss: what is predicted far from its region costs by its distance to the region's boundary.

Kervadec et al., Boundary Loss for Highly Unbalanced Segmentation, MIDL 2019, eq. (5).
"""

import torch
from torch import Tensor

from equipoise.losses.checks import (
    require_dim,
    require_floating,
    require_logits,
    require_same_shape,
    require_tensors,
    sees_values,
    wide,
)
from equipoise.losses.module import FunctionLoss
from equipoise.losses.reduction import Reduction, reduced

__all__ = ["BoundaryLoss", "boundary", "signed_distance"]


@torch.no_grad()
def signed_distance(masks: Tensor) -> Tensor:
    """Distance to the nearest pixel on the other side of a mask: above 0 outside of it, below 0 inside.

    Exact, Euclidean, in pixels, in float32. A mask without a boundary, empty or full, has distance 0 everywhere. It
    is not free: make the distances once, beside the images, not in every step.

    Args:
        masks: [N, C, ...], bool, over one, two or more dimensions of space.

    Raises:
        ValueError: If ``masks`` are not bool, or have no dimension of space.

    >>> signed_distance(torch.tensor([[[False, False, True, True, True, False]]]))
    tensor([[[ 2.,  1., -1., -2., -1.,  1.]]])
    """
    require_tensors(masks=masks)
    require_dim("masks", masks, "[N, C, ...] with dimensions of space", least=3)
    if masks.dtype != torch.bool:
        raise ValueError(
            f"masks must be bool, got {masks.dtype}: convert 0/1 with .bool(), classes [N, ...] with "
            "one_hot(classes, C).movedim(-1, 1).bool()"
        )
    distances = _distance_to(masks) - _distance_to(~masks)
    return distances.masked_fill(distances.isinf(), 0.0)


def boundary(logits: Tensor, distances: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """Mean of p φ, φ the signed distances from the boundaries of the classes' regions; p = softmax(logits).

    Least where every class fills its region. It says little while the prediction is still far off, and an empty class
    satisfies it nearly: add it to a region loss, as ``dice`` or ``generalised_dice``, with a small weight that grows.

    Args:
        logits: [N, C, ...], of two classes or more.
        distances: ``signed_distance`` of the target masks, of the same shape. Where it is 0 a pixel costs nothing.
        reduction: As in torch; ``"none"`` gives [N, C, ...].

    Raises:
        ValueError: If shapes differ, there is one class only, or ``distances`` are masks.

    >>> boundary(torch.zeros(1, 2, 3), torch.tensor([[[-2.0, -1.0, 1.0], [2.0, 1.0, -3.0]]]))  # (-2 + 0) / 2 / 6
    tensor(-0.1667)
    """
    require_floating(logits=logits, distances=distances)
    require_dim("logits", logits, "[N, C, ...]", least=2)
    require_same_shape(logits=logits, distances=distances)
    if logits.shape[1] < 2:
        raise ValueError(
            f"logits must have two classes or more, got {tuple(logits.shape)}: the softmax of one is 1; give the "
            "background a logit 0 and its distances, which are those of the other with the sign changed"
        )
    require_logits(logits)
    _require_signed(distances)
    return reduced(wide(logits).softmax(dim=1) * wide(distances), reduction)


def _distance_to(masks: Tensor) -> Tensor:
    """Distance of each pixel to the nearest one in its mask; infinite where the mask is empty."""
    squares = _distance_in_line(masks).square()
    for dim in range(2, masks.dim() - 1):
        lines = squares.movedim(dim, 2)
        squares = _spread(lines.flatten(3).flatten(0, 1)).view(lines.shape).movedim(2, dim)
    return squares.sqrt()


def _distance_in_line(masks: Tensor) -> Tensor:
    """Distance along the last dimension to the mask's last pixel so far, or to its next."""
    places = torch.arange(masks.shape[-1], device=masks.device, dtype=torch.float32)
    before = torch.where(masks, places, -torch.inf).cummax(dim=-1).values
    after = torch.where(masks, places, torch.inf).flip(-1).cummin(dim=-1).values.flip(-1)
    return torch.minimum(places - before, after - places)


def _spread(squares: Tensor) -> Tensor:
    """min_j squares_j + (i - j)^2 along the second dimension of [M, L, R]: of each plane alone, to stay in cache."""
    places = torch.arange(squares.shape[1], device=squares.device, dtype=squares.dtype).unsqueeze(1)
    spread = torch.empty_like(squares, memory_format=torch.contiguous_format)
    for plane, nearest in zip(squares, spread, strict=True):
        for place in range(len(places)):
            torch.amin(plane + (places - place).square(), dim=0, out=nearest[place])
    return spread


def _require_signed(distances: Tensor) -> None:
    """Raise where these are certainly masks: nowhere below 0, and at most 1."""
    if distances.numel() and sees_values(distances):
        least, most = (value.item() for value in distances.detach().aminmax())
        if least >= 0 and most == 1:
            raise ValueError("distances are masks (0 to 1, none negative): pass signed_distance(masks.bool())")


class BoundaryLoss(FunctionLoss):
    """``boundary`` with its arguments."""

    function = staticmethod(boundary)
    reduction: Reduction = "mean"
