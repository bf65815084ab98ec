"""Bounded: keep a method's weights between a floor and a cap.

A floor keeps every task in training, as the minimum weights of Lin et al., A Pareto-Efficient Algorithm for
Multiple Objective Optimization in E-Commerce Recommendation, RecSys 2019, do; a cap bounds what one task can do.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from equipoise.wrapping.wrapper import GivesWeights, Wrapper

Bound = float | Sequence[float] | None


class Bounded(Wrapper):
    """weights_k = min(max(w_k, low_k), high_k), w the method's weights.

    The bounds are of the weights that ``record.weights`` shows, with a user's weights left out: at a balancer's default
    scale those of MGDA have mean 1, at ``scale="paper"`` sum 1. They are no shares: what was cut from one task is not
    given to others, and a method whose weights depend on the scale of the losses (Nash-MTL) meets them at some scale
    only. A direction that had no conflict may have one after its weights were bounded.

    Args:
        low: The floor, or one per task; ``None`` for none.
        high: The cap, or one per task; ``None`` for none.
        method: A ``Weighting``, an ``Aggregator`` or a ``RowAggregator``.
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, low: Bound, high: Bound, method: GivesWeights) -> None:
        lower, upper = (torch.tensor(_or(bound, 0.0), device="cpu") for bound in (low, high))
        if not (lower.isfinite().all() and upper.isfinite().all()):
            raise ValueError(f"low and high must be finite, or None for no bound, got {low!r} and {high!r}")
        if (lower.dim() and upper.dim() and lower.shape != upper.shape) or 0 in (lower.numel(), upper.numel()):
            raise ValueError(f"low and high must hold one number for each task, got {low!r} and {high!r}")
        if None not in (low, high) and (lower > upper).any():
            raise ValueError(f"low must be at most high, got {low!r} and {high!r}")
        super().__init__(method)
        self.low, self.high = low, high

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        for name, bound, none in (("lower", self.low, -torch.inf), ("upper", self.high, torch.inf)):
            values = torch.tensor(_or(bound, none), dtype=self.precision)
            if values.dim() and len(values) != num_tasks:
                raise ValueError(f"low and high must hold one number for each of {num_tasks} tasks, got {bound!r}")
            self.register_buffer(name, values.expand(num_tasks).clone(), persistent=False)

    def weigh(self, ask: Callable[[], Tensor], tasks: Tensor) -> Tensor:
        weights = ask()
        return weights.clamp(self.lower[tasks].to(weights), self.upper[tasks].to(weights))


def _or(bound: Bound, none: float) -> float | Sequence[float]:
    return none if bound is None else bound
