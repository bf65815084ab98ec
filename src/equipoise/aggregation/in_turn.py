"""InTurn: a gradient method for tasks of which each step has one, as data sets do that never share a batch.

A rule; no paper. Gradients are kept as sketches of random signs: Weinberger et al., Feature Hashing for Large Scale
Multitask Learning, ICML 2009, definition 1 and lemma 2.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Self

from equipoise.aggregation.row_memory import RowMemory
from equipoise.arguments import short_repr, whole_number
from equipoise.chain import AggregatorChain, Composite
from equipoise.method import Aggregator, Method, RowAggregator


class InTurn(RowMemory, Composite, RowAggregator):
    """weights of this step's tasks = those of the wrapped method for their gradients and the others' last ones.

    A step still delivers the gradients of its own tasks alone, each times its weight. A task counts from its first step
    on, until it has been absent for more than ``max_age`` steps, as one whose data have ended; a gradient of zero, as
    of a batch that is masked, is not remembered. ``ages`` [num_tasks] are the steps since each was last seen, -1 before
    that. With all tasks in every step the weights are the wrapped method's, but for the error of the sketches.

    A gradient's sketch is ``width`` numbers: its coordinates times fixed random signs, every ``width``-th added up.
    Products of sketches are on average those of the gradients, with a standard deviation of about sqrt(2 / width) times
    the product of the norms where no group of coordinates has much more than its share; a prime width cuts across
    layers. The state is K · width numbers; the signs take a byte per parameter. Where the shared parameters change, as
    when a new task first shares more of them, the gradients of before are forgotten.

    Args:
        method: An ``Aggregator``.
        width: Numbers of a sketch, 1 or more; ``None`` keeps whole gradients, P numbers per task.
        max_age: Steps, 1 or more, for which the gradient of an absent task counts.
    """

    counts_absent = True

    method: Aggregator
    last_steps: Tensor
    last_losses: Tensor
    steps: Tensor
    size: Tensor

    def __init__(self, method: Aggregator, width: int | None = 4093, max_age: int = 200) -> None:
        if not isinstance(method, Aggregator):
            raise ValueError(f"method must be an Aggregator, got {short_repr(method)}")
        if width is not None:
            whole_number(1, width=width)
        whole_number(1, max_age=max_age)
        super().__init__()
        self.method, self.width, self.max_age = method, width, max_age
        self.user_weight = method.user_weight
        self._signs = torch.zeros(0, dtype=torch.int8)

    @property
    def parts(self) -> tuple[Method, ...]:
        return (self.method,)

    @property
    def ages(self) -> Tensor:
        """Steps [num_tasks] since each task was seen: 0 for those of the last step, -1 for one not yet seen."""
        return torch.where(self.last_steps > 0, self.steps - self.last_steps, -1)

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.method.bind(num_tasks)
        self.require_nothing_learned()
        self.register_buffer("last_steps", torch.zeros(num_tasks, dtype=torch.int64, device="cpu"))  # counted from 1
        self.register_buffer("last_losses", torch.zeros(num_tasks, dtype=torch.float64, device="cpu"))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64, device="cpu"))
        self.register_buffer("size", torch.zeros((), dtype=torch.int64, device="cpu"))  # P

    def row_weights(self, jacobian: Tensor, losses: Tensor, tasks: Tensor) -> Tensor:
        if int(self.size) != jacobian.shape[1]:
            self.size.fill_(jacobian.shape[1])
            self.last_steps.zero_()
            self.memory = self.memory[:, :0]
        shown = self._sketched(jacobian)
        memory, present, losses = self.remember(shown), tasks.cpu(), losses.double().cpu()
        self.steps += 1
        nonzero = shown.any(dim=1).cpu()
        seen_now = present[nonzero]
        memory[seen_now] = shown[nonzero].to(memory)
        self.last_losses[seen_now], self.last_steps[seen_now] = losses[nonzero], self.steps
        counts = (self.last_steps > 0) & (self.steps - self.last_steps <= self.max_age)
        known = counts.nonzero().squeeze(1)
        weights = torch.ones(len(counts), dtype=torch.float64)  # of a gradient of zero any will do
        if len(known):
            seen = memory[known].double()
            weights[known] = AggregatorChain(self.method)((seen @ seen.mT).cpu(), self.last_losses[known], known)
        return weights[present]

    def _sketched(self, rows: Tensor) -> Tensor:
        """The sketches [K, width] of rows [K, P]; the rows themselves where these are no longer."""
        size = rows.shape[1]
        if self.width is None or size <= self.width:
            return rows
        if len(self._signs) != size or self._signs.device != rows.device:
            fixed = torch.Generator().manual_seed(0)
            drawn = torch.randint(2, (size,), generator=fixed, dtype=torch.int8, device="cpu")
            self._signs = (2 * drawn - 1).to(rows.device)
        signed = rows.to(torch.promote_types(rows.dtype, torch.float32)) * self._signs
        whole = size - size % self.width
        sketches = signed[:, :whole].view(len(rows), -1, self.width).sum(dim=1)
        sketches[:, : size - whole] += signed[:, whole:]
        return sketches

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        """Gradients follow the parameters; all else stays on the CPU, beside the gramian."""
        return super()._apply(lambda tensor: fn(tensor) if tensor is self.memory else tensor, recurse=False)
