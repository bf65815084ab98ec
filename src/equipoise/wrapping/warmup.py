"""Warmup: train on the plain sum first, then hand over to a method, at once or along a ramp.

A rule; no paper.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from equipoise.arguments import whole_number
from equipoise.wrapping.wrapper import GivesWeights, Wrapper


class Warmup(Wrapper):
    """weights = 1 + r (w - 1): r is 0 for the first steps, then rises to 1 in equal parts, w the method's weights.

    While r is 0 the weights are ones, as in ``Sum``, and the method is not asked: its memory of steps begins
    where the plain sum ends. At a balancer's default scale the length of the steps does not jump then, but where a
    method's norm is its own (Nash-MTL, UnitNorm).

    Args:
        steps: Steps (backward passes) of the plain sum.
        method: A ``Weighting``, an ``Aggregator`` or a ``RowAggregator``.
        ramp: Further steps between the sum and the method alone.
    """

    step: Tensor

    def __init__(self, steps: int, method: GivesWeights, ramp: int = 0) -> None:
        whole_number(0, steps=steps, ramp=ramp)
        super().__init__(method)
        self.steps, self.ramp = steps, ramp
        self.register_buffer("step", torch.zeros((), dtype=torch.int64, device="cpu"))

    def will_ask(self, tasks: Tensor) -> bool:
        return bool(self.step >= self.steps)

    def stated(self, tasks: Sequence[int]) -> list[float] | None:
        weights = super().stated(tasks)
        return weights if weights is None else [1.0 + self._share() * (weight - 1.0) for weight in weights]

    def _share(self) -> float:
        """The r of the next step."""
        return min(max((int(self.step) + 1 - self.steps) / (self.ramp + 1), 0.0), 1.0)

    def weigh(self, ask: Callable[[], Tensor], tasks: Tensor) -> Tensor:
        share = self._share()
        self.step += 1
        if share == 0:
            return torch.ones(len(tasks), dtype=self.precision, device=tasks.device)
        weights = ask()
        return torch.lerp(torch.ones_like(weights), weights, share)
