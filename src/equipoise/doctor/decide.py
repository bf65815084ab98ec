"""What a method would answer to a step, asked of a copy."""

import copy

import torch
from torch import Tensor

from equipoise.chain import linearise, split
from equipoise.method import Method
from equipoise.step import Step


def decision(method: Method, step: Step, gramian: Tensor | None, balanced: list[int]) -> Tensor | None:
    """The weights [K] that the method would give now; ``None`` where it needs what was not measured.

    Args:
        method: Its state stays as it is.
        step: K present tasks.
        gramian: [K, K] where the balancer compares gradients.
        balanced: The places of the tasks that have a gradient there.

    Raises:
        ValueError: If the losses are not what the method takes.
    """
    parts = split(copy.deepcopy(method))
    if parts.coordinate is not None or (parts.aggregator is not None and gramian is None):
        return None
    _, scales = linearise(parts.weighting, step.stacked, step.tasks)
    weights = scales.detach().double().cpu().clone()  # the sum's are one number, expanded
    if parts.aggregator is not None and gramian is not None and balanced:
        losses = step.stacked.detach().double().cpu()
        scaled = (weights[:, None] * gramian * weights)[balanced][:, balanced]
        tasks = torch.tensor([step.present[k] for k in balanced], device="cpu")
        weights[balanced] *= parts.aggregator(scaled, losses[balanced], tasks)
    return weights
