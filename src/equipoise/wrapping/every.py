"""Every: decide the weights in every n-th step and reuse them in between.

Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022, section 5 (weights updated every T steps);
Xu et al., PSMGD: Periodic Stochastic Multi-Gradient Descent, AAAI 2025, algorithm 1.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from equipoise.arguments import whole_number
from equipoise.wrapping.wrapper import GivesWeights, Wrapper


class Every(Wrapper):
    """weights = the method's, decided for these tasks together less than n steps ago; else it decides anew.

    So the method is also asked as soon as a task is present that was not when the weights were decided;
    where fewer tasks are present, theirs are reused. It sees only the steps in which it is asked; the others cost one
    backward pass and measure no gramian.

    Args:
        n: Steps from one decision to the next; 1 changes nothing.
        method: A ``Weighting``, an ``Aggregator`` or a ``RowAggregator``.
    """

    step: Tensor
    weights: Tensor
    decided: Tensor

    def __init__(self, n: int, method: GivesWeights) -> None:
        whole_number(1, n=n)
        super().__init__(method)
        self.n = n
        self.register_buffer("step", torch.zeros((), dtype=torch.int64, device="cpu"))

    def bind(self, num_tasks: int) -> None:
        super().bind(num_tasks)
        self.register_buffer("weights", torch.zeros(num_tasks, dtype=self.precision))
        self.register_buffer("decided", torch.full((num_tasks,), -self.n))  # in which step; at first long ago

    def will_ask(self, tasks: Tensor) -> bool:
        first, *others = self.decided[tasks.cpu()].tolist()
        return int(self.step) - first >= self.n or any(decided != first for decided in others)

    def weigh(self, ask: Callable[[], Tensor], tasks: Tensor) -> Tensor:
        if self.will_ask(tasks):
            present = tasks.cpu()
            weights = ask()
            self.weights[tasks] = weights.to(self.weights)
            # weights of a loss that overflowed serve no second step
            self.decided[present] = self.step if weights.isfinite().all() else self.step - self.n
        self.step += 1
        return self.weights[tasks]
