"""The balanced loss never goes backward, while the model moves: something else trains it."""

import heapq
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from equipoise.monitor.warning import warn

_PATIENCE = 20  # calls in a row between which the model moved; a validation loop does not move it
_SAMPLES = 3  # parameters that are looked at, the smallest


class Unused:
    """Compares a few small parameters from call to call, until a first backward."""

    def __init__(self) -> None:
        self.is_over = False
        self._times_moved = 0
        self._samples: list[tuple[Tensor, Tensor]] = []  # a parameter, and what it was at the last call

    def called(self, parameters: Callable[[], Mapping[str, Tensor]]) -> None:
        """Note a call before the first backward."""
        if not self._samples:
            trainable = [parameter for parameter in parameters().values() if parameter.requires_grad]
            smallest = heapq.nsmallest(_SAMPLES, trainable, key=torch.numel)
        else:
            moved = any(not torch.equal(_numbers(parameter), before) for parameter, before in self._samples)
            self._times_moved = self._times_moved + 1 if moved else 0
            smallest = [parameter for parameter, _ in self._samples]
        self._samples = [(parameter, _numbers(parameter).clone()) for parameter in smallest]
        if self._times_moved == _PATIENCE:
            self.went_backward()
            warn(
                f"the balanced loss did not go backward in {_PATIENCE + 1} calls, and yet the model trains: call "
                ".backward() on what the balancer returns, not on the sum of the losses",
            )

    def went_backward(self) -> None:
        """Note a backward: all is well from here on."""
        self.is_over = True
        self._samples = []


def _numbers(parameter: Tensor) -> Tensor:
    """What this process holds of a parameter, be it sharded."""
    detached = parameter.detach()
    local: Tensor = detached.to_local() if hasattr(detached, "to_local") else detached
    return local
