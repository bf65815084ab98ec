"""``reduction`` as in torch: none, mean, sum."""

from typing import Literal

from torch import Tensor

Reduction = Literal["none", "mean", "sum"]


def reduced(values: Tensor, reduction: Reduction) -> Tensor:
    """All values, their mean, or their sum.

    Raises:
        ValueError: If ``reduction`` is none of the three.
    """
    if reduction == "none":
        return values
    if reduction == "mean":
        return values.mean()
    require_reduction(reduction)
    return values.sum()


def reduced_over(losses: Tensor, counts: Tensor, reduction: Reduction) -> Tensor:
    """``reduced``, for losses that are 0 where they do not count: the mean is over those that do, 0 of none.

    ``counts`` says how much each counts: bool, or weights, of which the mean is weighted by them.
    """
    if reduction == "mean":
        total = counts.sum()
        return losses.sum() / total.where(total > 0, 1)
    return reduced(losses, reduction)


def require_reduction(reduction: str) -> None:
    """Raise unless this is one of torch's three."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
