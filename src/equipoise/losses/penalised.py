"""A loss and a penalty on complexity: of the output, or of the parameters."""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from equipoise.losses.checks import wide
from equipoise.losses.mixed import Composed, parts_of, require_loss, require_scalar
from equipoise.losses.schedules import Schedule, require_factor
from equipoise.missing import ignored_class
from equipoise.remedies import require_no_broadcast

__all__ = ["Penalised"]


class Penalised(Composed):
    """loss + strength · penalty(output); after a forward ``parts`` holds both, detached and without the strength.

    Args:
        loss: Of output and target, or of the output alone; a scalar.
        penalty: Of the output, a scalar: ``l1``, ``activation_sparsity`` or any callable. A ``ParameterPenalty`` takes
            the model's parameters instead.
        strength: From 0, or a ``Schedule``, which advances with each forward in training.

    Raises:
        ValueError: If ``strength`` is out of its range, or loss or penalty do not return a scalar.

    >>> import torch
    >>> penalised = Penalised(torch.nn.MSELoss(), lambda output: output.abs().mean(), strength=0.1)
    >>> penalised(torch.tensor([1.0, 3.0]), torch.tensor([1.0, 2.0]))  # 1/2 + 0.1 · 2
    tensor(0.7000)
    >>> penalised.parts
    {'loss': tensor(0.5000), 'penalty': tensor(2.)}
    """

    def __init__(self, loss: Callable[..., Tensor], penalty: Callable[..., Tensor], strength: float | Schedule) -> None:
        require_loss("loss", loss)
        require_loss("penalty", penalty)
        if not isinstance(strength, Schedule):
            require_factor("strength", strength, " or a Schedule")
        super().__init__(strength)
        self.loss, self.penalty, self.strength = loss, penalty, strength
        self.ignore_index = ignored_class(loss)
        self.takes_padding = getattr(loss, "takes_padding", False)

    def forward(self, output: Any, *target: Any) -> Tensor:
        """Of an output, and a target if the loss takes one."""
        require_no_broadcast("output and target", self.loss, (output, *target))
        loss = wide(require_scalar("loss", self.loss(output, *target)))
        penalty = wide(require_scalar("penalty", self.penalty(output)))
        strength = self.strength() if isinstance(self.strength, Schedule) else self.strength
        self._end_forward(parts_of("loss", self.loss, loss) | parts_of("penalty", self.penalty, penalty))
        return loss + strength * penalty

    def __repr__(self) -> str:
        return f"Penalised({self.loss!r}, {self.penalty!r}, strength={self.strength!r})"
