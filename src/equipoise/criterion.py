"""Tasks and balancer as one ordinary criterion."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from equipoise.arguments import short_repr
from equipoise.balancer import Balancer
from equipoise.step import user_weights
from equipoise.tasks import Tasks


class MultiTaskLoss(nn.Module):
    """``criterion(outputs, targets).backward()``, as with any loss of torch.

    Its parameters, those of the losses and of the method, belong in the optimiser.
    """

    def __init__(self, tasks: Tasks, balancer: Balancer) -> None:
        """``criterion(outputs, targets)`` is ``balancer(tasks.losses(outputs, targets))``; the tasks are the same."""
        super().__init__()
        if not isinstance(tasks, Tasks):
            raise ValueError(f"tasks must be Tasks, which know the losses, got {short_repr(tasks)}")
        if not isinstance(balancer, Balancer):
            raise ValueError(
                f"balancer must be a Balancer, got {short_repr(balancer)}: write Balancer(method, model, tasks=tasks)"
            )
        if list(user_weights(tasks).items()) != list(balancer.user_weights.items()):
            raise ValueError(
                f"tasks are {user_weights(tasks)}, the balancer's are {balancer.user_weights}: "
                "build it with tasks=tasks, and call set_weights after this"
            )
        self.tasks = tasks
        self.balancer = balancer

    def forward(
        self,
        outputs: Mapping[str, Any],
        targets: Mapping[str, Any] | None = None,
        *,
        representation: Tensor | None = None,
    ) -> Tensor:
        """The scalar of ``balancer(tasks.losses(outputs, targets))``."""
        return self.balancer(self.tasks.losses(outputs, targets), representation=representation)

    if TYPE_CHECKING:  # ``nn.Module`` has it of no known result

        def __call__(
            self,
            outputs: Mapping[str, Any],
            targets: Mapping[str, Any] | None = None,
            *,
            representation: Tensor | None = None,
        ) -> Tensor:
            """The scalar of ``balancer(tasks.losses(outputs, targets))``."""

    def end_epoch(self) -> None:
        """Tell the losses and the method that an epoch has ended; call it once per epoch."""
        self.tasks.end_epoch()
        self.balancer.end_epoch()
