"""Scheduled: weights by the number of the step or of the epoch, set beforehand.

Curricula and warm-ups of auxiliary tasks, as in Kiperwasser & Ballesteros, Scheduled Multi-Task Learning: From
Syntax to Translation, TACL 2018.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from equipoise.method import Weighting
from equipoise.task_weights import NamedWeights, in_order
from equipoise.weighting.clock import Clock

Row = Mapping[str, float] | Sequence[float]
Schedule = Sequence[Row] | Callable[[int], Row]


class Scheduled(Weighting):
    """objective = sum_k weights(t)[k] · loss_k.

    t is in the saved state; a function is not, and is given again to resume.

    Args:
        weights: A list with one row per t, whose last row stays; or a function from t, counted from 0, to such a row.
            A row is {task: weight} of all tasks, or one weight per task in the tasks' order. None negative.
        per: ``"step"``, or ``"epoch"`` to count by ``balancer.end_epoch()``.
    """

    def __init__(self, weights: Schedule, per: str = "step") -> None:
        super().__init__()
        if per not in ("step", "epoch"):
            raise ValueError(f"per must be 'step' or 'epoch', got {per!r}")
        if not callable(weights) and not weights:
            raise ValueError(f"weights must hold at least one row, got {weights!r}")
        self.weights = weights if callable(weights) else tuple(map(_read_only, weights))
        self.per = per
        self.clock = Clock()
        self._names: tuple[str, ...] | None = None
        self._next: list[float] | None = None  # of the next step, once ``stated`` has asked a function for it

    def name_tasks(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    @property
    def needs(self) -> frozenset[str]:
        """``end_epoch`` where it counts epochs, else nothing."""
        return super().needs if self.per == "epoch" else frozenset()

    def bind(self, num_tasks: int) -> None:
        self.num_tasks = num_tasks
        for row in () if callable(self.weights) else self.weights:
            self._in_order(row)

    def stated(self, tasks: Sequence[int]) -> list[float] | None:
        self._next = self._at(self.clock.now())
        return [self._next[k] for k in tasks]

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        now = self.clock.now() if self.per == "epoch" else self.clock.tick()
        row, self._next = self._at(now) if self._next is None else self._next, None
        return torch.sum(torch.tensor(row, dtype=losses.dtype, device=losses.device)[tasks] * losses)

    def end_epoch(self) -> None:
        if self.per == "epoch":
            self.clock.tick()
            self._next = None

    def _at(self, now: int) -> list[float]:
        """The weights of all tasks."""
        row = self.weights(now) if callable(self.weights) else self.weights[min(now, len(self.weights) - 1)]
        return self._in_order(row)

    def _in_order(self, row: Row) -> list[float]:
        weights = in_order(row, self._names) if isinstance(row, Mapping) else row
        if len(weights) != self.num_tasks or not all(0 <= weight < float("inf") for weight in weights):
            raise ValueError(
                f"weights must give {self.num_tasks} finite numbers, none negative, one per task; got {row!r}"
            )
        return [float(weight) for weight in weights]


def _read_only(row: Row) -> Row:
    return NamedWeights(row) if isinstance(row, Mapping) else tuple(row)
