"""State of modules that does not move or change precision as a model does."""

from collections.abc import Callable
from typing import Any

from torch import nn
from typing_extensions import Self


class KeepsPrecision(nn.Module):
    """A module whose state keeps its precision when a model is cast: ``.to()`` moves it between devices only."""

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)  # type: ignore[no-untyped-call]
        return self


class StaysOnCPU(nn.Module):
    """A module whose state stays on the CPU in its own precision, where reading it waits for no device."""

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:  # .to(), .cuda(), .half()
        return self
