"""What one step did, by task name."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor

from equipoise.names import listed


@dataclass(repr=False)
class Record:
    """One backward of a balancer; tensors are converted when read.

    ``total`` is the value of the scalar that the balancer returned: the sum of the raw losses times the weights that
    the user chose, wherever they were given. ``weights`` are effective: the shared parameters' gradient is the sum of
    the raw losses' gradients times these. Parameters that one task alone reaches have, with ``heads="raw"``, the weight
    that the balancer holds for the task instead.

    ``gramian`` and all that is derived from it describe the tasks' gradients with the weights in them that the balancer
    holds, and before any method touched them; it is ``None`` where a step measured none.

    ``skipped`` says that the method was not asked: a loss, a gradient or the incoming gradient was not finite, or the
    last was zero. ``weights`` are then the user's alone, and the gradients went to ``.grad`` as they are, NaN and inf
    included, so that a GradScaler skips the optimiser's step. Without one, look at it before ``optimizer.step()``.
    """

    step: int  # backwards of this balancer so far, this one included
    names: tuple[str, ...]  # the tasks present
    losses_tensor: Tensor  # [K], raw
    total_tensor: Tensor  # [], the sum of the losses times the weights that the user chose
    weights_tensor: Tensor | None  # [K], effective; None if the method has no one weight per task
    gramian: Tensor | None  # [K, K]
    route: str  # how the gradients were taken
    skipped: bool = False
    unsolved: int = 0  # steps so far in which the method's equations had no solution
    residual: float | None = None  # of the optimality conditions solved in this step, the largest; inf: no solution
    parts_tensors: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)  # what a task's loss consists of
    objective_tensor: Tensor | None = None  # [], of a loss weighting; None for a gradient method
    ages_tensor: Tensor | None = None  # [num_tasks], of a method that shows rows of earlier steps
    all_names: tuple[str, ...] = ()  # the balancer's tasks

    @cached_property
    def losses(self) -> dict[str, float]:
        """The raw losses."""
        return self._by_name(self.losses_tensor)

    @cached_property
    def parts(self) -> dict[str, dict[str, float]]:
        """What the tasks' losses consist of, where they say so; as they come, before any proportion."""
        return {task: {name: float(part) for name, part in of.items()} for task, of in self.parts_tensors.items()}

    @cached_property
    def weights(self) -> dict[str, float]:
        """By how much each raw loss's gradient counts in what is shared: the user's weight times the method's.

        Empty where the method has no one weight per task, by coordinate or by group.
        """
        return {} if self.weights_tensor is None else self._by_name(self.weights_tensor)

    @cached_property
    def ages(self) -> dict[str, int]:
        """Steps since each task of the balancer was seen, -1 before that; empty but with ``eq.InTurn``."""
        return {} if self.ages_tensor is None else dict(zip(self.all_names, self.ages_tensor.tolist(), strict=True))

    @cached_property
    def norms(self) -> dict[str, float]:
        """The gradients' norms; empty where no gramian was measured."""
        return {} if self.gramian is None else self._by_name(self.gramian.diagonal().sqrt())

    @cached_property
    def total(self) -> float:
        """The sum of the raw losses times the weights that the user chose: the number to log."""
        return float(self.total_tensor)

    @cached_property
    def objective(self) -> float | None:
        """What the step descends on: a loss weighting's objective, else the sum of the raw losses times ``weights``.

        ``None`` where the method has no one weight per task. It may rise while every loss falls, as weights move.
        """
        if self.objective_tensor is not None:
            return float(self.objective_tensor)
        if self.weights_tensor is None:
            return None
        return sum(w * self.losses[name] for name, w in self.weights.items() if w != 0)  # 0 · inf would be NaN

    @cached_property
    def cosines(self) -> Tensor | None:
        """Cosines [K, K] between the tasks' gradients; NaN where a gradient is zero."""
        if self.gramian is None:
            return None
        norms = self.gramian.diagonal().sqrt()
        return (self.gramian / norms / norms[:, None]).clamp(-1.0, 1.0)

    @cached_property
    def magnitude_similarity(self) -> Tensor | None:
        """2 ‖g_i‖ ‖g_j‖ / (‖g_i‖² + ‖g_j‖²) [K, K], 1 where norms are equal (Yu et al. 2020, definition 3)."""
        if self.gramian is None:
            return None
        squared = self.gramian.diagonal()
        return 2 * torch.outer(squared, squared).sqrt() / (squared + squared[:, None])

    @cached_property
    def condition_number(self) -> float | None:
        """Largest over smallest singular value of the jacobian (Senushkin et al. 2023); inf if rank-deficient."""
        if self.gramian is None:
            return None
        if not bool(self.gramian.isfinite().all()):
            return math.nan
        values = torch.linalg.eigvalsh(self.gramian).tolist()
        return math.sqrt(values[-1] / values[0]) if values[0] > 0 else math.inf

    def to_dict(self) -> dict[str, float]:
        """Flat floats for any logger; what was not measured is not there."""
        flat = {"total": self.total, "step": float(self.step), "skipped": float(self.skipped)}
        flat["unsolved"] = float(self.unsolved)
        for name in ("objective", "residual"):
            if (value := getattr(self, name)) is not None:
                flat[name] = value
        for kind in ("losses", "weights", "norms"):
            flat.update({f"{kind}/{name}": value for name, value in getattr(self, kind).items()})
        flat.update({f"ages/{name}": float(steps) for name, steps in self.ages.items()})
        for task, parts in self.parts.items():
            flat.update({f"parts/{task}/{name}": value for name, value in parts.items()})
        for kind, matrix in (("cosines", self.cosines), ("magnitude_similarity", self.magnitude_similarity)):
            if matrix is not None:
                for i, one in enumerate(self.names):
                    for j, other in enumerate(self.names[:i]):
                        flat[f"{kind}/{other}/{one}"] = float(matrix[i, j])
        if self.condition_number is not None:
            flat["condition_number"] = self.condition_number
        return flat

    def __repr__(self) -> str:
        """In one line, of many tasks the first few."""
        parts = [f"step={self.step}", f"total={self.total:.4g}"]
        for kind in ("losses", "weights", "norms"):
            values = [f"{name}: {value:.4g}" for name, value in getattr(self, kind).items()]
            parts += [f"{kind}={{{listed(values)}}}"] if values else []
        return f"Record({', '.join(parts)}{', skipped' * self.skipped})"

    def _by_name(self, values: Tensor) -> dict[str, float]:
        return dict(zip(self.names, values.tolist(), strict=True))
