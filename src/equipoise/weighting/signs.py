"""What a method that takes logarithms or ratios asks of the losses' signs."""

import torch
from torch import Tensor

from equipoise.method import Method


def positive(losses: Tensor, tasks: Tensor, method: Method) -> Tensor:
    """The losses, or whatever else there is one of per task, which must be positive.

    On the CPU one that is not raises. Elsewhere to look at it would make every step wait for the device:
    there it becomes NaN, and so do the gradients, which a GradScaler skips and the record shows.

    Raises:
        ValueError: On the CPU, if one is zero or negative; the message names the task by its place.
    """
    return _without(losses <= 0, losses, tasks, method, "positive losses")


def non_negative(losses: Tensor, tasks: Tensor, method: Method) -> Tensor:
    """The same for losses that may be zero."""
    return _without(losses < 0, losses, tasks, method, "losses that are not negative")


def _without(wrong: Tensor, losses: Tensor, tasks: Tensor, method: Method, needed: str) -> Tensor:
    if not losses.is_cpu:
        return losses + torch.zeros_like(losses).masked_fill(wrong, torch.nan)
    if wrong.any():
        k = int(wrong.nonzero()[0])
        raise ValueError(
            f"{method} needs {needed}, got {losses[k].item():g} for task {int(tasks[k])} (counted from 0): add the "
            "task loss's lower bound to it, or choose a method without logarithms and ratios, such as Fixed"
        )
    return losses
