"""Initial: divide each loss by what it was at the start.

The loss ratio of Chen et al., GradNorm, ICML 2018, section 3.1, as the term itself.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from equipoise.arguments import one_per_task
from equipoise.method import Weighting
from equipoise.weighting.signs import positive


class Initial(Weighting):
    """weight_k = 1 / reference_k, what the loss without the user's weight was at the start.

    Args:
        reference: ``"step"``: the task's first finite loss. ``"epoch"``: the mean of the task's first epoch, which
            ends with ``balancer.end_epoch()``; until then, the mean so far. Or one positive number per task.
    """

    user_weight = "preference"
    own_norm = "in units of the losses at the start"

    def __init__(self, reference: str | Sequence[float] = "step") -> None:
        super().__init__()
        is_numbers = not isinstance(reference, str) and reference and all(0 < r < float("inf") for r in reference)
        if not is_numbers and reference not in ("step", "epoch"):
            raise ValueError(f"reference must be 'step', 'epoch' or one positive number per task, got {reference!r}")
        self.reference = reference if isinstance(reference, str) else tuple(reference)

    @property
    def needs(self) -> frozenset[str]:
        """``end_epoch`` where the reference is an epoch's mean, else nothing."""
        return super().needs if self.reference == "epoch" else frozenset()

    def bind(self, num_tasks: int) -> None:
        given = [0.0] * num_tasks if isinstance(self.reference, str) else self.reference
        one_per_task(num_tasks, reference=given)
        self.register_buffer("mean", torch.tensor(given))
        self.register_buffer("steps", torch.zeros(num_tasks))
        self.register_buffer("closed", self.mean > 0)

    def forward(self, losses: Tensor, tasks: Tensor) -> Tensor:
        values = (losses.detach() / self.preferred(tasks).to(losses.device)).to(self.mean)
        counted = values.isfinite() & ~self.closed[tasks]
        self.steps[tasks] += counted.to(self.steps)
        self.mean[tasks] += ((values - self.mean[tasks]) / self.steps[tasks]).where(counted, 0.0)
        if self.reference == "step":
            self.closed[tasks] |= counted
        seen = self.closed[tasks] | (self.steps[tasks] > 0)
        return torch.sum(losses / positive(self.mean[tasks].where(seen, 1.0), tasks, self))

    def end_epoch(self) -> None:
        self.closed |= self.steps > 0
