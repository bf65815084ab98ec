"""Misuse that shows only while training; each is warned of once."""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from equipoise.method import Method

_PATIENCE = 50  # gradients of a parameter of the method until it must have moved
_HEADS_LOOK = 10  # the first step that looks for heads mistaken for shared parameters: none is still at its zero start


class Misuse:
    """Compares the method's parameters, and one of the model's, with what they were at the first gradient."""

    def __init__(self, method: Method, given: Mapping[str, Tensor]) -> None:
        self._method = repr(method)
        self._learned = {name: p for name, p in method.named_parameters() if p.requires_grad}
        self._handles = {name: p.register_hook(partial(self._hear, name)) for name, p in self._learned.items()}
        self._sample = min(given.values(), key=lambda p: (not p.requires_grad, p.numel()))
        self._before: dict[str, tuple[Tensor, Tensor]] = {}
        self._heard = dict.fromkeys(self._learned, 0)
        self._has_looked_for_heads = False

    def _hear(self, name: str, gradient: Tensor) -> None:
        if not self._heard[name]:
            self._before[name] = (self._learned[name].detach().clone(), self._sample.detach().clone())
        self._heard[name] += 1

    def unmoved(self) -> None:
        """Warn of parameters of the method that have gradients and stay while the model moves: in no optimiser."""
        for name in [name for name, heard in self._heard.items() if heard and heard % _PATIENCE == 0]:
            parameter, (before, sample) = self._learned[name], self._before[name]
            if self._sample.requires_grad and torch.equal(self._sample, sample.to(self._sample)):
                continue  # gradients are still being accumulated
            if torch.equal(parameter, before.to(parameter)):
                warnings.warn(
                    f"parameter {name!r} of {self._method} does not move while the model does: add "
                    "balancer.parameters() to the optimiser",
                    stacklevel=2,
                )
            self._handles.pop(name).remove()
            del self._heard[name], self._before[name]

    def is_due_for_heads(self, step: int) -> bool:
        """Whether this step looks for joined heads, once."""
        return step >= _HEADS_LOOK and not self._has_looked_for_heads

    def joined_heads(self, given: Mapping[str, Tensor], lonely: Sequence[Tensor]) -> None:
        """Warn of parameters that autograd calls shared, of which all tasks but one have a zero gradient."""
        self._has_looked_for_heads = True
        names = [name for name, parameter in given.items() if any(parameter is leaf for leaf in lonely)]
        if names:
            warnings.warn(
                f"{', '.join(names)} are reached by several losses, of which one alone has a gradient there: if these "
                "are heads, take each loss from its own output before outputs or losses are joined by cat or stack",
                stacklevel=2,
            )
