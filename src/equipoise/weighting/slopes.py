"""Slopes of curves that grow at their end, NaN where there is nothing yet; pure functions for ``CoBa``."""

import torch
from torch import Tensor


def followed(past: Tensor, newest: Tensor) -> Tensor:
    """The past [N, ...], one shorter, and the newest."""
    return torch.cat([past[1:], newest[None]])


def in_means(slopes: Tensor, numbers: Tensor) -> Tensor:
    """Numbers [K, ...] as multiples of the mean size of the slopes [K, N] that there are; 0 where all are flat."""
    size = slopes.abs().nanmean(dim=1, keepdim=True)
    return numbers / size.where(size > 0, torch.inf)


def slope(curves: Tensor, warmup: int) -> Tensor:
    """Least-squares slopes [K] of curves [N, K], NaN where there are fewer than ``warmup`` points."""
    there = ~curves.isnan()
    places = torch.arange(len(curves), device=curves.device)[:, None].expand_as(curves).where(there, torch.nan)
    offset = places - places.nanmean(dim=0)
    slope = (offset * curves).nansum(dim=0) / offset.square().nansum(dim=0)
    return slope.where(there.sum(dim=0) >= warmup, torch.nan)
