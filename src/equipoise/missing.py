"""Missing labels: which labels of a target are there, and what a mean over these divides by."""

import inspect
from collections.abc import Callable, Sequence
from operator import mul
from typing import Any, cast

import torch
from torch import Tensor, nn

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
    return labelled(target, ignored).unsqueeze(-1).flatten(1).any(dim=1)


def ignored_class(loss: Callable[..., Tensor]) -> int | None:
    """The class that a loss leaves out: a module's attribute, or the default of a function's argument."""
    if hasattr(loss, "ignore_index"):
        return cast(int, loss.ignore_index)
    try:
        argument = inspect.signature(loss).parameters.get("ignore_index")
    except ValueError:  # a builtin shows no arguments
        return None
    return None if argument is None or argument.default is argument.empty else argument.default


def weight_of(labels: Tensor, weight: Tensor | None) -> float:
    """The sum of the labels' class weights [C], in double precision; without weights the number of labels."""
    if weight is None:
        return labels.numel()
    return float(sum(map(mul, labels.flatten().bincount().tolist(), weight.tolist())))


def divisor_of(loss: Any, arguments: Sequence[Any], count: int, ignored: int | None) -> Any:
    """What a loss divides its sum by: as it says, the class weights of torch's labels, or the number of labels."""
    if callable(getattr(loss, "divisor", None)):
        return loss.divisor(*arguments)
    if not isinstance(loss, nn.CrossEntropyLoss | nn.NLLLoss) or loss.weight is None or loss.reduction != "mean":
        return count
    target = arguments[1]
    if target.is_floating_point():  # probabilities of classes: torch's mean is over samples
        return count
    return weight_of(target[labelled(target, ignored)], loss.weight)
