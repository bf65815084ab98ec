"""Scheduled: weights by the number of the step or of the epoch, set beforehand.

Curricula and warm-ups of auxiliary tasks, as in Kiperwasser & Ballesteros, Scheduled Multi-Task Learning: From
Syntax to Translation, TACL 2018.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from equipoise.method import Weighting
from equipoise.weighting.clock import Clock

Schedule = Sequence[Sequence[float]] | Callable[[int], Sequence[float]]


class Scheduled(Weighting):
    """objective = sum_k weights(t)[k] · loss_k.

    t is in the saved state; a function is not, and is given again to resume.

    Args:
        weights: A list with one row per t, of one weight per task in the tasks' order, whose last row stays; or a
            function from t, counted from 0, to such a row. None negative.
        per: ``"step"``, or ``"epoch"`` to count by ``balancer.end_epoch()``.
    """

    def __init__(self, weights: Schedule, per: str = "step") -> None:
        super().__init__()
        if per not in ("step", "epoch"):
            raise ValueError(f"per must be 'step' or 'epoch', got {per!r}")
        if not callable(weights) and not weights:
            raise ValueError(f"weights must hold at least one row, got {weights!r}")
        self.weights = weights if callable(weights) else [list(row) for row in weights]
        self.per = per
        self.clock = Clock()

    @property
    def needs(self) -> frozenset[str]:
        """``end_epoch`` where it counts epochs, else nothing."""
        return super().needs if self.per == "epoch" else frozenset()

    def bind(self, num_tasks: int) -> None:
        self.num_tasks = num_tasks
        for row in [] if callable(self.weights) else self.weights:
            self._require_valid(row)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        now = self.clock.now() if self.per == "epoch" else self.clock.tick()
        if callable(self.weights):
            row = self.weights(now)
            self._require_valid(row)
        else:
            row = self.weights[min(now, len(self.weights) - 1)]
        return torch.sum(torch.tensor(row, dtype=losses.dtype, device=losses.device)[tasks] * losses)

    def end_epoch(self) -> None:
        if self.per == "epoch":
            self.clock.tick()

    def _require_valid(self, row: Sequence[float]) -> None:
        if len(row) != self.num_tasks or not all(0 <= weight < float("inf") for weight in row):
            raise ValueError(
                f"weights must give {self.num_tasks} finite numbers, none negative, one per task; got {row!r}"
            )
