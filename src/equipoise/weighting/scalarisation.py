"""What the classical scalarisations share: a preference and a reference point."""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.arguments import each_within, one_per_task
from equipoise.method import Weighting


def numbers(name: str, values: Sequence[float] | None, num_tasks: int, default: float) -> Tensor:
    """One number per task from a constructor's argument, or the default for all."""
    if values is None:
        return torch.full((num_tasks,), default)
    one_per_task(num_tasks, **{name: values})
    return torch.tensor(values, dtype=torch.float32)


class Scalarisation(Weighting):
    """objective = a function of y_k = weights_k (loss_k - reference_k).

    Args:
        weights: The preference, positive, one number per task in the tasks' order; by default 1 / K for the K
            tasks of a step. A user's weight of a task multiplies it.
        reference: The ideal point, one number per task, in the units of the loss without the user's weight; by
            default 0.
    """

    def __init__(self, weights: Sequence[float] | None = None, reference: Sequence[float] | None = None) -> None:
        super().__init__()
        if weights is not None:
            each_within("(0, inf)", weights=weights)
        if reference is not None:
            each_within("(-inf, inf)", reference=reference)
        self.weights: tuple[float, ...] | None = weights if weights is None else tuple(weights)
        self.reference: tuple[float, ...] | None = reference if reference is None else tuple(reference)

    def bind(self, num_tasks: int) -> None:
        self.register_buffer("factors", numbers("weights", self.weights, num_tasks, torch.nan), persistent=False)
        self.register_buffer("ideal", numbers("reference", self.reference, num_tasks, 0.0), persistent=False)

    def sum_factor(self, num_tasks: int) -> float:
        """The weights of equal y sum to one, and the default preferences 1 / K divide by K once more."""
        return float(num_tasks if self.weights is not None else num_tasks**2)

    def excess(self, losses: Tensor, tasks: Tensor) -> Tensor:
        """The y [K]."""
        if self.reference is not None:
            losses = losses - self.preferred(tasks).to(losses) * self.ideal[tasks]
        return losses / len(losses) if self.weights is None else self.factors[tasks] * losses
