"""LBFGS around a balancer that is not one function: it calls its closure many times in one step, and believes it is."""

import inspect
import sys
from collections.abc import Mapping
from types import FrameType

import torch
from torch import Tensor
from torch.optim import LBFGS

from equipoise.method import Method
from equipoise.monitor.warning import warn
from equipoise.names import listed

_STEP = inspect.unwrap(LBFGS.step).__code__
_WAY_OUT = (
    "Hold the weights for the step: call closure() once, then `with balancer.frozen(): optimizer.step(closure)` "
    "(docs/trainers.md)"
)


class LineSearch:
    """Looks from a call of the balancer up the stack for ``LBFGS.step``, and where in it the closure is called.

    The place of its first evaluation tells the others from it. No optimiser is hooked.
    """

    def __init__(self, method: Method) -> None:
        self._method = method
        self._first: int | None = None  # the instruction of ``LBFGS.step`` that evaluates a step's first point
        self.has_warned = self._has_warned_of_sign = False

    def holds(self, weights: Mapping[str, float]) -> None:
        """Note that these weights are held, by task name."""
        negative = [repr(name) for name, weight in weights.items() if weight < 0]
        if negative and not self._has_warned_of_sign and self._again() is not None:
            self._has_warned_of_sign = True
            warn(
                f"torch.optim.LBFGS minimises a sum in which {self._method} gave {listed(negative)} a negative weight, "
                "so it raises that loss without bound: for LBFGS take eq.Sum() or a method whose weights are not "
                "negative (docs/trainers.md)"
            )

    def decides_anew(self) -> None:
        """Note a call by which a gradient method will decide, which each evaluation of one step would do anew."""
        if not self.has_warned and self._again() is not None:
            self._warn(f"{self._method} decides weights anew each time, so that its gradients are not of one function")

    def compares(self, value: Tensor, objective: Tensor) -> None:
        """Note a balanced loss of this value [] whose gradient is the objective's []: a line search compares values."""
        if self.has_warned or (step := self._again()) is None:
            return
        searches = any(group.get("line_search_fn") for group in step.f_locals["self"].param_groups)
        if searches and not torch.allclose(
            value.detach(), objective.detach().to(value), rtol=1e-6, atol=0.0, equal_nan=True
        ):
            self._warn(
                f"the value of the balanced loss is the total, its gradient that of the objective of {self._method}"
            )

    def _again(self) -> FrameType | None:
        """The frame of ``LBFGS.step`` if this is not its first evaluation."""
        frame: FrameType | None = sys._getframe(2)
        while frame is not None and frame.f_code is not _STEP:
            frame = frame.f_back
        if frame is None:
            return None
        self._first = frame.f_lasti if self._first is None else min(self._first, frame.f_lasti)
        return frame if frame.f_lasti > self._first else None

    def _warn(self, what: str) -> None:
        self.has_warned = True
        warn(
            f"torch.optim.LBFGS evaluates its closure several times in one step, and {what}. {_WAY_OUT}",
        )
