"""Weights that count twice, in the losses and in the balancer, and weights of tasks that do not count at all."""

from collections.abc import Mapping, Sequence

from torch import Tensor

from equipoise.method import Method
from equipoise.monitor.warning import warn
from equipoise.torch_private.autograd import saved

_SAME = 1e-6  # relative; a factor is kept in float32 at the least


class Weighted:
    """Looks at the first call with losses, and at the first with losses of tasks that are known."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self.has_seen_losses = self.has_seen_tasks = False

    def of_losses(self, losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> None:
        """Warn of losses that have the balancer's weights in them already."""
        self.has_seen_losses = True
        if doubled := _weighted_already(losses, weights):
            warn(
                f"losses {', '.join(map(repr, doubled))} are already multiplied by the weights that the balancer "
                "was given for them, and it applies those itself: pass raw losses, or tasks without weights"
            )

    def of_tasks(self, tasks: Mapping[str, float], held: Mapping[str, float]) -> None:
        """Warn of weights of the tasks that are others than those that the balancer holds."""
        self.has_seen_tasks = True
        lost, counting = _unheard(tasks, held, self._method.stated(range(len(held))))
        if lost:
            warn(
                f"Task weights {lost} do not count: the balancer was not given these tasks, and holds {counting}. "
                "Build it with tasks=tasks, or leave weight out of the tasks"
            )


def ends_in(loss: Tensor, weight: float) -> bool:
    """Whether the last operation of a loss multiplies by this number; a factor on a device is not looked at."""
    node = loss.grad_fn
    if type(node).__name__ != "MulBackward0":
        return False
    try:
        factors = [saved(node, "other"), saved(node, "self")]
    except RuntimeError:
        return False  # the graph is used up, as will be said elsewhere
    plain = [f for f in factors if isinstance(f, Tensor) and f.dim() == 0 and f.is_cpu and not f.requires_grad]
    return any(abs(float(factor) - weight) <= _SAME * weight for factor in plain)


def _weighted_already(losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> list[str]:
    """The tasks with a weight, if each of their losses was last multiplied by just that number; else none.

    One alone may be chance (half a squared error, weight 0.5); two or more, and no exception, are not.
    """
    weighted = [name for name in losses if weights[name] != 1.0]
    if len(weighted) < 2 or not all(ends_in(losses[name], weights[name]) for name in weighted):
        return []
    return weighted


def _unheard(
    tasks: Mapping[str, float], held: Mapping[str, float], stated: Sequence[float] | None
) -> tuple[dict[str, float], dict[str, float]]:
    """The weights, other than 1, of tasks which have another one, and those that they have.

    Args:
        tasks: The weights of the tasks that made the losses.
        held: Those of the balancer.
        stated: Those that its method has of its own, which multiply, in order.
    """
    counting = {
        name: weight * factor for (name, weight), factor in zip(held.items(), stated or [1.0] * len(held), strict=True)
    }
    lost = {
        name: weight
        for name, weight in tasks.items()
        if name in held and weight != 1.0 and weight not in (held[name], counting[name])
    }
    return lost, {name: counting[name] for name in lost}
