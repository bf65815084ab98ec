"""Misuse that shows only while training; each is warned of once."""

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from equipoise.method import Method

_PATIENCE = 50  # steps between two looks whether an optimiser moves the method's parameters
_HEADS_LOOK = 10  # the step that looks for heads mistaken for shared parameters: none is still at its zero start


class Misuse:
    """Compares the method's parameters, and one of the model's, with what they were at the start."""

    def __init__(self, method: Method, given: Mapping[str, Tensor]) -> None:
        self._method = repr(method)
        self._learned = [(name, p, p.detach().clone()) for name, p in method.named_parameters() if p.requires_grad]
        sample = min(given.values(), key=lambda p: (not p.requires_grad, p.numel()))
        self._sample = (sample, sample.detach().clone())

    def unmoved(self, step: int) -> None:
        """Warn of parameters of the method that stay while the model moves: they are in no optimiser."""
        if not self._learned or step % _PATIENCE:
            return
        sample, before = self._sample
        if sample.requires_grad and torch.equal(sample, before.to(sample)):
            return  # gradients are still being accumulated
        for name, parameter, before in self._learned:
            if torch.equal(parameter, before.to(parameter)):
                warnings.warn(
                    f"parameter {name!r} of {self._method} does not move while the model does: add "
                    "balancer.parameters() to the optimiser",
                    stacklevel=2,
                )
        self._learned = []

    def is_due_for_heads(self, step: int) -> bool:
        """Whether this step looks for joined heads."""
        return step == _HEADS_LOOK

    def joined_heads(self, given: Mapping[str, Tensor], lonely: Sequence[Tensor]) -> None:
        """Warn of parameters that autograd calls shared, of which all tasks but one have a zero gradient."""
        names = [name for name, parameter in given.items() if any(parameter is leaf for leaf in lonely)]
        if names:
            warnings.warn(
                f"{', '.join(names)} are reached by several losses, of which one alone has a gradient there: if these "
                "are heads, take each loss from its own output before outputs or losses are joined by cat or stack",
                stacklevel=2,
            )
