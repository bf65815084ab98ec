"""How good a task's outputs are, in one number."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Metric:
    """How good a task's outputs are.

    Args:
        name: Unique within the task.
        higher_is_better: Whether larger values are better.
        perfect: The best value there is.
        trivial: The value on the validation split of a constant predictor fitted on the training split.
        compute: ``(outputs, targets) -> value`` on a whole split, samples without a label removed.
        calibrate: ``(outputs, targets) -> metric`` where ``compute`` chooses something by the split that it is given,
            such as thresholds: the metric that keeps what it chose on this one. None where nothing is chosen.
    """

    name: str
    higher_is_better: bool
    perfect: float
    trivial: float
    compute: Callable[[Tensor, Tensor], float]
    calibrate: "Callable[[Tensor, Tensor], Metric] | None" = None
