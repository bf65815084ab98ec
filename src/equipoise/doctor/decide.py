"""What a method would answer to a step, asked of a copy."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.balancer.decide import weights_of
from equipoise.chain import linearise, split
from equipoise.gradients.measure import Measured
from equipoise.method import Method
from equipoise.step import Step


def decision(
    method: Method, step: Step, measured: Measured | None, compared: Sequence[str], balanced: list[int]
) -> Tensor | None:
    """The weights [K] that the method would give now; ``None`` where it gives none, or needs what was not measured.

    Args:
        method: Its state stays as it is.
        step: K present tasks.
        measured: Their gradients where the balancer compares them.
        compared: The names of the tensors there.
        balanced: The places of the tasks that have a gradient there.

    Raises:
        ValueError: If the losses are not what the method takes.
    """
    parts = split(copy.deepcopy(method))
    if not parts.decides_weights or (parts.takes_gradients and measured is None):
        return None
    _, scales = linearise(parts.weighting, step.stacked, step.tasks)
    weights = scales.detach().double().cpu().clone()  # the sum's are one number, expanded
    if measured is None or not balanced:
        return weights
    tasks = torch.tensor([step.present[k] for k in balanced], device="cpu")
    losses, gramian = step.stacked.detach().double().cpu(), measured.total(compared)

    def weighted_rows(weights: Tensor) -> Tensor:
        rows = measured.jacobian(compared)[balanced]
        return rows * weights[balanced].to(rows)[:, None]

    return weights_of(parts, weights, balanced, tasks, losses, gramian, weighted_rows)
