"""Preconditioned: balance the updates that Adam will make of the gradients, not the gradients.

Adam divides every coordinate by the running root mean square of its gradient (Kingma & Ba, ICLR 2015, algorithm 1);
norms and conflicts of gradients are then not those of the updates.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from equipoise.aggregation.row_memory import RowMemory
from equipoise.arguments import short_repr, within
from equipoise.chain import AggregatorChain, Composite
from equipoise.method import Aggregator, CoordinateAggregator, Method, Weighting


class Preconditioned(RowMemory, Composite, CoordinateAggregator):
    """gradient d = sum_k w_k g_k; w are the wrapped method's weights for the rows g_k / s.

    s^2 = (beta v + (1 - beta) sum_k g_k^2) / (1 - beta^t) by coordinate, with v <- beta v + (1 - beta) d^2: what Adam
    knows of the gradients it was given, and this step's, so that a coordinate which has just begun to move counts no
    more than Adam will let it. A gradient is returned, so the optimiser stays Adam (or RMSProp), with the same beta;
    where it clips or accumulates, its v is another. P numbers of state.

    Args:
        method: An ``Aggregator``, or a ``Weighting`` without parameters that learn.
        beta: In [0, 1): Adam's second beta.
    """

    method: Weighting | Aggregator
    steps: Tensor

    def __init__(self, method: Weighting | Aggregator, beta: float = 0.999) -> None:
        if not isinstance(method, Weighting | Aggregator):
            raise ValueError(f"method must give weights: a Weighting or an Aggregator, got {short_repr(method)}")
        within("[0, 1)", beta=beta)
        super().__init__()
        self.method, self.beta = method, beta
        self.user_weight = method.user_weight
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64, device="cpu"))

    @property
    def parts(self) -> tuple[Method, ...]:
        return (self.method,)

    def bind(self, num_tasks: int) -> None:
        super().bind(1)  # one row, of the delivered gradient
        self.method.bind(num_tasks)
        self.require_nothing_learned()

    def forward(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        root = self.remember(jacobian)[0]  # of v
        rows = jacobian.to(root)
        old, new = self.beta**0.5, (1 - self.beta) ** 0.5
        self.steps += 1
        scale = torch.hypot(old * root, new * torch.linalg.vector_norm(rows, dim=0))
        unbiased = (1 - self.beta ** self.steps.double()).sqrt()
        shown = (rows / scale.where(scale > 0, 1.0)).double() * unbiased
        gramian = (shown @ shown.mT).cpu()
        weights = AggregatorChain(self.method)(gramian, losses.double().cpu(), tasks.cpu())
        gradient = weights.to(rows) @ rows
        root.copy_(torch.hypot(old * root, new * gradient))
        return gradient.to(jacobian)

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        return super()._apply(fn, recurse=False)  # the wrapped method stays on the CPU, beside its gramian
