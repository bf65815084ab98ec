"""Fixed: weights that the user has chosen or searched for; tuned, the baseline that every method has to beat.

Xin et al., Do Current Multi-Task Optimization Methods in Deep Learning Even Help?, NeurIPS 2022, eq. (1).
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from equipoise.arguments import one_per_task
from equipoise.method import Weighting
from equipoise.task_weights import NamedWeights, in_order


class Fixed(Weighting):
    """objective = sum_k weights[k] · loss_k.

    Args:
        weights: {task: weight} of all tasks, or one number per task in the tasks' order; finite, none negative, not
            all zero. A weight that the balancer holds for a task multiplies it.
    """

    def __init__(self, weights: Mapping[str, float] | Sequence[float]) -> None:
        super().__init__()
        if not isinstance(weights, Iterable) or isinstance(weights, str):
            raise ValueError(
                f"weights must be {{task: weight}} or one number per task, in the tasks' order, got {weights!r}"
            )
        self.weights: Mapping[str, float] | tuple[float, ...]
        if isinstance(weights, Mapping):
            self.weights = NamedWeights({name: float(weight) for name, weight in weights.items()})
        else:
            self.weights = tuple(float(weight) for weight in weights)
        values = list(self.weights.values()) if isinstance(self.weights, Mapping) else self.weights
        if not values or min(values) < 0 or not 0 < sum(values) < float("inf"):
            raise ValueError(f"weights must be finite, none negative and not all zero, got {weights!r}")
        self._names: tuple[str, ...] | None = None

    def name_tasks(self, names: Sequence[str]) -> None:
        self._names = tuple(names)

    def bind(self, num_tasks: int) -> None:
        weights = self._in_order()
        one_per_task(num_tasks, weights=weights)
        self.register_buffer("factors", torch.tensor(weights, dtype=torch.float64), persistent=False)

    def stated(self, tasks: Sequence[int]) -> list[float] | None:
        weights = self._in_order()
        return [weights[k] for k in tasks]

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        return torch.sum(self.factors[tasks].to(losses) * losses)

    def _in_order(self) -> Sequence[float]:
        return in_order(self.weights, self._names) if isinstance(self.weights, Mapping) else self.weights
