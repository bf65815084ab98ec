"""Missing labels: which labels of a target are there."""

import inspect
from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

MISSING = -100  # the class that stands for a missing label where nothing else is said, as in torch.nn.CrossEntropyLoss


def may_be_missing(target: Tensor, ignored: int | None) -> bool:
    """Whether a target of this dtype can lack a label, ``ignored`` being the class that stands for a missing one."""
    if target.is_floating_point():
        return True
    if ignored is None or target.dtype == torch.bool:
        return False
    limits = torch.iinfo(target.dtype)  # of an unsigned dtype -100 is none, and no class that it would wrap around to
    return limits.min <= ignored <= limits.max


def labelled(target: Tensor, ignored: int | None = MISSING) -> Tensor:
    """True where a label is there, of the target's shape: a float that is not NaN, an integer other than ``ignored``.

    >>> labelled(torch.tensor([1.0, torch.nan])), labelled(torch.tensor([1, -100])), labelled(torch.tensor([-1]), -1)
    (tensor([ True, False]), tensor([ True, False]), tensor([False]))
    """
    if not may_be_missing(target, ignored):
        return torch.ones_like(target, dtype=torch.bool)
    return ~target.isnan() if target.is_floating_point() else target.ne(cast(int, ignored))


def labelled_samples(target: Tensor, ignored: int | None = MISSING) -> Tensor:
    """True for the samples [N] of a target [N, ...] of which some label is there."""
    return labelled(target, ignored).reshape(len(target), -1).any(dim=1)


def ignored_class(loss: Callable[..., Tensor]) -> int | None:
    """The class that a loss leaves out: a module's attribute, or the default of a function's argument."""
    if hasattr(loss, "ignore_index"):
        return cast(int, loss.ignore_index)
    try:
        argument = inspect.signature(loss).parameters.get("ignore_index")
    except ValueError:  # a builtin shows no arguments
        return None
    return None if argument is None or argument.default is argument.empty else argument.default
