"""Numbers that change while training: proportions and strengths as functions of the steps taken.

Who advances them? The loss that holds them: a schedule moves on by one with every forward of its ``Mixed`` or
``Penalised`` in training mode with gradients on. Validation leaves it alone, under ``no_grad`` or after ``eval()``.
With gradients accumulated, every micro-batch is a step; where the loss is not called, as its labels are missing, none
is taken. ``EpochSchedule`` alone waits for ``end_epoch()``. The count is in ``state_dict()``: a run resumes where it
was.

Cosine: Loshchilov and Hutter, SGDR, ICLR 2017, eq. (5). Sigmoid-shaped ramp: Laine and Aila, Temporal Ensembling for
Semi-Supervised Learning, ICLR 2017, appendix A.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.losses.module import LossModule
from equipoise.placement import KeepsPrecision

__all__ = ["CosineSchedule", "EpochSchedule", "LinearSchedule", "Schedule", "SigmoidRamp", "StepSchedule"]


class Schedule(LossModule, KeepsPrecision):
    """value = ``at(step)``, step counted from 0 in a buffer; subclasses write ``at``.

    It serves one loss, which advances it. Casting a model leaves its precision alone.
    """

    step: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._is_taken = False
        self.register_buffer("step", torch.zeros((), dtype=torch.int64))

    def at(self, step: Tensor) -> Tensor:
        """The value after so many steps, of ``step``'s shape."""
        raise NotImplementedError

    def forward(self) -> Tensor:
        """The value now, []."""
        return self.at(self.step)

    def advance(self) -> None:
        """Note that a step is taken; the loss that holds this schedule calls it."""
        self.step = self.step + 1  # a new tensor: a compiled backward may still want the old one

    def end_epoch(self) -> None:
        """Note that an epoch of training has ended."""

    def require_free(self) -> None:
        """Raise if a loss holds this schedule already, which would advance it twice a step; from now on one does."""
        if self._is_taken:
            raise ValueError(f"{self} already serves a loss, which advances it: make a new one for another")
        self._is_taken = True


class _FromTo(Schedule):
    """From ``start`` to ``end`` in ``steps``."""

    def __init__(self, start: float, end: float, steps: int) -> None:
        super().__init__()
        require_factor("start", start)
        require_factor("end", end)
        _require_steps(steps)
        self.start, self.end, self.steps = start, end, steps


class LinearSchedule(_FromTo):
    """start (1 − t) + end t, t = step / steps up to 1: ``end`` from then on.

    Args:
        start: At step 0; from 0.
        end: At ``steps``; from 0.
        steps: How long it takes, at least 1.

    >>> LinearSchedule(0.0, 1.0, steps=4).at(torch.tensor([0, 1, 4, 9]))
    tensor([0.0000, 0.2500, 1.0000, 1.0000])
    """

    def at(self, step: Tensor) -> Tensor:
        return _between(self.start, self.end, _progress(step, self.steps))


class CosineSchedule(_FromTo):
    """end + (start − end) (1 + cos(π t)) / 2, t = step / steps up to 1: flat at both ends.

    Args:
        start: At step 0; from 0.
        end: At ``steps`` and after; from 0.
        steps: How long it takes, at least 1.

    >>> CosineSchedule(1.0, 0.0, steps=4).at(torch.tensor([0, 2, 4, 9]))
    tensor([1.0000, 0.5000, 0.0000, 0.0000])
    """

    def at(self, step: Tensor) -> Tensor:
        return _between(self.start, self.end, (1 - torch.cos(math.pi * _progress(step, self.steps))) / 2)


class StepSchedule(Schedule):
    """``values[k]`` from step ``milestones[k - 1]`` on; ``values[0]`` before the first.

    Args:
        values: One more than milestones; each from 0.
        milestones: Steps, increasing, at least 1.

    >>> StepSchedule([0.0, 0.5, 1.0], milestones=[2, 5]).at(torch.arange(7))
    tensor([0.0000, 0.0000, 0.5000, 0.5000, 0.5000, 1.0000, 1.0000])
    """

    table: Tensor
    bounds: Tensor

    def __init__(self, values: Sequence[float], milestones: Sequence[int]) -> None:
        super().__init__()
        self.values, self.milestones = list(values), list(milestones)
        _require_listed(self.values)
        if any(not isinstance(step, int) for step in self.milestones) or any(
            late <= early for early, late in zip([0, *self.milestones], self.milestones, strict=False)
        ):
            raise ValueError(f"milestones must be increasing integers, at least 1, got {self.milestones!r}")
        if len(self.values) != len(self.milestones) + 1:
            raise ValueError(
                f"values must be one more than milestones, got {len(self.values)} and {len(self.milestones)}: "
                "the first value holds before the first milestone"
            )
        self.register_buffer("table", torch.tensor(self.values, dtype=torch.float32), persistent=False)
        self.register_buffer("bounds", torch.tensor(self.milestones, dtype=torch.int64), persistent=False)

    def at(self, step: Tensor) -> Tensor:
        return self.table.gather(0, torch.bucketize(step, self.bounds, right=True).view(-1)).view(step.shape)


class SigmoidRamp(Schedule):
    """end · exp(−5 (1 − t)²), t = step / steps up to 1: from end / 148 up to ``end``.

    Args:
        end: At ``steps`` and after; from 0.
        steps: How long it takes, at least 1.

    >>> SigmoidRamp(1.0, steps=2).at(torch.tensor([0, 1, 2, 3]))
    tensor([0.0067, 0.2865, 1.0000, 1.0000])
    """

    def __init__(self, end: float, steps: int) -> None:
        super().__init__()
        require_factor("end", end)
        _require_steps(steps)
        self.end, self.steps = end, steps

    def at(self, step: Tensor) -> Tensor:
        return self.end * torch.exp(-5 * (1 - _progress(step, self.steps)).square())


class EpochSchedule(Schedule):
    """``values[epoch]``, the last one from then on: call ``end_epoch()`` after each epoch, its own or its loss's.

    Args:
        values: One per epoch, at least one; each from 0.

    >>> schedule = EpochSchedule([0.0, 0.5, 1.0])
    >>> schedule.end_epoch()
    >>> schedule()
    tensor(0.5000)
    """

    table: Tensor

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__()
        self.values = list(values)
        if not self.values:
            raise ValueError("values is empty: give one per epoch")
        _require_listed(self.values)
        self.register_buffer("table", torch.tensor(self.values, dtype=torch.float32), persistent=False)

    def at(self, step: Tensor) -> Tensor:
        return self.table.gather(0, step.clamp(max=len(self.values) - 1).view(-1)).view(step.shape)

    def advance(self) -> None:
        """Nothing: it counts epochs."""

    def end_epoch(self) -> None:
        self.step = self.step + 1


def _progress(step: Tensor, steps: int) -> Tensor:
    return (step / steps).clamp(max=1.0)


def _between(start: float, end: float, share: Tensor) -> Tensor:
    return start * (1 - share) + end * share


def require_factor(name: str, value: object, others: str = "") -> None:
    """Raise unless this is a finite number from 0; ``others`` says what else it might have been."""
    if isinstance(value, type):
        raise ValueError(f"{name} is a class: write {value.__name__}(...)")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise ValueError(f"{name} must be a finite number from 0{others}, got {value!r}")


def _require_listed(values: Sequence[float]) -> None:
    for place, value in enumerate(values):
        require_factor(f"values[{place}]", value)


def _require_steps(steps: int) -> None:
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise ValueError(f"steps must be an integer, at least 1, got {steps!r}")
