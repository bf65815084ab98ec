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


def require_reduction(reduction: str) -> None:
    """Raise unless this is one of torch's three."""
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
