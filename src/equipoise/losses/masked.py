"""Labels that are missing inside a sample: the mean over those that are there."""

import inspect
import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from equipoise.losses.checks import require_mask, require_same_shape, require_tensors, wide
from equipoise.losses.mixed import require_loss
from equipoise.losses.module import LossModule
from equipoise.missing import ignored_class, labelled

__all__ = ["Masked"]


class Masked(LossModule):
    """mean of the loss over the labels that are there; 0, with a graph, where none is.

    A label is missing where a float target is NaN, an integer one is the loss's ``ignore_index``, or ``mask`` is False.
    Value and gradient are as if it had been removed: ``fill`` stands in its place, and what the loss makes of that
    counts 0. In a task: ``Task("assays", Masked(nn.BCEWithLogitsLoss(reduction="none")), missing="loss")``.

    The mean is over labels, each counting 1: weights that the loss has scale its values, and not what is divided by.

    Args:
        loss: ``(output, target) -> values`` of the target's shape, so with ``reduction="none"``; or one that takes a
            ``mask`` by that name, as ``SoftF1Loss`` does: then it is given it, and reduces.
        fill: A target at which the loss is finite for every output: 0 for most, not for relative errors.

    Raises:
        ValueError: If the loss reduces, or a shape or dtype is not as above.

    >>> import torch
    >>> masked = Masked(torch.nn.L1Loss(reduction="none"))
    >>> masked(torch.tensor([[1.0, 5.0]]), torch.tensor([[3.0, torch.nan]]))
    tensor(2.)
    """

    def __init__(self, loss: Callable[..., Tensor], fill: float = 0.0) -> None:
        super().__init__()
        require_loss("loss", loss)
        reduction = getattr(loss, "reduction", "none")
        self._takes_mask = "mask" in _arguments(loss)
        if self._takes_mask and getattr(loss, "reduction", "mean") == "none":
            raise ValueError(f"loss takes a mask itself and must reduce, got {loss!r}: leave out reduction='none'")
        if reduction != "none" and not self._takes_mask:
            raise ValueError(
                f"loss must give a value per label, got reduction={reduction!r}: "
                f"write {type(loss).__name__}(reduction='none')"
            )
        if not isinstance(fill, int | float) or not math.isfinite(fill):
            raise ValueError(f"fill must be a finite number, got {fill!r}")
        self.loss, self.fill = loss, fill
        self.ignore_index = ignored_class(loss)

    def forward(self, output: Any, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Of output and target as the loss takes them; ``mask``, of the target's shape, is True where a label is."""
        require_tensors(target=target)
        present = self._present(target, mask)
        if isinstance(output, Tensor):
            output = wide(output)
            if output.dim() <= target.dim():
                require_same_shape(output=output, target=target)
        if self._takes_mask:
            return self.loss(output, self._filled(target, ~present), mask=present)
        values = self.loss(output, self._filled(target, None if mask is None else ~present))
        if not isinstance(values, Tensor) or values.shape != target.shape:
            got = f"shape {tuple(values.shape)}" if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(
                f"loss must give a value per label, of target's shape {tuple(target.shape)}, got {got}: "
                "give it reduction='none'"
            )
        return wide(values).where(present, 0.0).sum() / present.sum().clamp(min=1)

    def _present(self, target: Tensor, mask: Tensor | None) -> Tensor:
        """True where a label is there."""
        present = labelled(target, self.ignore_index)
        if mask is None:
            return present
        require_mask(mask, target=target)
        return present & mask

    def _filled(self, target: Tensor, hidden: Tensor | None) -> Tensor:
        """The target without NaN, and without what a mask hides; ``ignore_index`` is left to the loss."""
        if not target.is_floating_point() and not float(self.fill).is_integer():
            raise ValueError(f"fill must be a class where target is {target.dtype}, got {self.fill!r}")
        if hidden is not None:
            return wide(target).masked_fill(hidden, self.fill)
        if target.is_floating_point():
            return wide(target).nan_to_num(self.fill, posinf=math.inf, neginf=-math.inf)
        return target


def _arguments(loss: Callable[..., Tensor]) -> frozenset[str]:
    """The names of what a loss is called with; a module's are those of its ``forward``."""
    try:
        return frozenset(inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters)
    except ValueError:  # a builtin shows none
        return frozenset()
