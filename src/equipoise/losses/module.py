"""What loss modules have in common."""

from torch import nn

from equipoise.losses.reduction import Reduction, require_reduction


class LossModule(nn.Module):
    """A loss with its arguments; they are attributes of their own names, and shown."""

    def extra_repr(self) -> str:
        """The arguments."""
        shown = {name: value for name, value in vars(self).items() if not name.startswith("_") and name != "training"}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())


class ReducedLoss(LossModule):
    """A loss whose one argument is how its values are reduced."""

    def __init__(self, reduction: Reduction = "mean") -> None:
        super().__init__()
        require_reduction(reduction)
        self.reduction = reduction
