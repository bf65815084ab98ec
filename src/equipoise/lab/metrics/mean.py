"""A mean over elements, whatever the batches they come in."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric


class MeanOf(Metric):
    """The sum of ``elements`` over all batches and ranks, divided by their number; NaN where there is none.

    A subclass defines the elements of one batch. Sums are in float64, so the split into batches does not show.
    """

    full_state_update = False
    higher_is_better: bool = False
    plot_lower_bound: float = 0.0
    total: Tensor
    count: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def elements(self, outputs: Tensor, targets: Tensor, mask: Tensor | None) -> Tensor:
        """The numbers [M] of one batch that are averaged."""
        raise NotImplementedError

    def update(self, outputs: Tensor, targets: Tensor, mask: Tensor | None = None) -> None:
        """Take one batch; where ``mask`` is False, nothing counts."""
        elements = self.elements(outputs.detach(), targets, mask).double()
        self.total += elements.sum()
        self.count += elements.numel()

    def compute(self) -> Tensor:
        """The mean so far, a scalar."""
        return self.total / self.count
