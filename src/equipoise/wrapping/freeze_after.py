"""FreezeAfter: explore with a method, then train on with the mean of its weights.

Yang et al., AutoScale: Linear Scalarization Guided by Multi-Task Optimization Metrics, 2025 (arXiv 2508.13979),
explores and then freezes; Gama & Grassi, Uniform Loss vs. Specialized Optimization, 2025 (arXiv 2505.10347), find
fixed weights taken from a method competitive with it.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from equipoise.arguments import whole_number
from equipoise.wrapping.wrapper import GivesWeights, Wrapper


class FreezeAfter(Wrapper):
    """weights = w, the method's, in the first steps; after them w̄_k, the mean of w_k over those with task k.

    A task that was present in none of them takes the mean of the others' w̄. Once the weights are frozen
    the method is asked no more.

    Args:
        steps: Steps (backward passes) of exploring.
        method: A ``Weighting``, an ``Aggregator`` or a ``RowAggregator``.
    """

    step: Tensor
    total: Tensor
    seen: Tensor

    def __init__(self, steps: int, method: GivesWeights) -> None:
        whole_number(1, steps=steps)
        super().__init__(method)
        self.steps = steps
        self.register_buffer("step", torch.zeros((), dtype=torch.int64, device="cpu"))

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.register_buffer("total", torch.zeros(num_tasks, dtype=self.precision))
        self.register_buffer("seen", torch.zeros(num_tasks, dtype=self.precision))

    def will_ask(self, tasks: Tensor) -> bool:
        return bool(self.step < self.steps)

    def weigh(self, ask: Callable[[], Tensor], tasks: Tensor) -> Tensor:
        if not self.will_ask(tasks):
            mean = self.total / self.seen
            return mean.where(self.seen > 0, mean.nanmean())[tasks]
        self.step += 1
        weights = ask()
        finite = weights.isfinite()  # a loss that overflowed would spoil the mean for good
        self.total[tasks] += weights.where(finite, 0.0).to(self.total)
        self.seen[tasks] += finite.to(self.seen)
        return weights
