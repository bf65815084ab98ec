"""Heads that look shared, because outputs or losses were joined, and which loss takes which part cannot be read."""

from collections.abc import Callable, Collection, Mapping

from torch import Tensor

from equipoise.monitor.warning import warn

HEADS = (
    "if these are heads, take each loss from its own output, or from its part of what cat or stack joined "
    "before anything else is done with it; assignment to parts of a tensor joins them unseen"
)
_LOOK = 10  # the first step that looks at all parameters: no head is still at its zero start


class Heads:
    """Looks below joins in the first step that can tell, and everywhere in the tenth; warns once."""

    def __init__(self) -> None:
        self.looks_for_joins = True  # until a step has looked below operations that join
        self._is_over = False

    def look(
        self,
        named: Mapping[str, Tensor],
        gramian: Tensor,
        step: int,
        under_joins: Callable[[], Collection[Tensor]],
        single_task_tensors: Callable[[], Mapping[Tensor, int]],
    ) -> None:
        """Look at one step's gradients.

        Args:
            named: The balancer's parameters.
            gramian: [K, K] of the gradients. Where one task alone has some, it has them in trunks as in heads.
            step: Its number.
            under_joins: The parameters below operations that join outputs.
            single_task_tensors: Those by which one task alone has a gradient, with that task.
        """
        if self._is_over or int(gramian.diagonal().count_nonzero()) < 2:
            return
        if self.looks_for_joins:
            self.looks_for_joins = False
            if joined := under_joins():
                owners = {leaf: task for leaf, task in single_task_tensors().items() if leaf in joined}
                if len(set(owners.values())) > 1:  # one task alone has a trunk below heads that start at zero
                    self._warn(named, owners)
        if step >= _LOOK and not self._is_over:
            self._warn(named, single_task_tensors())

    def _warn(self, named: Mapping[str, Tensor], single_task: Mapping[Tensor, int]) -> None:
        """Warn of parameters that autograd calls shared, of which all tasks but one have a zero gradient."""
        self._is_over, self.looks_for_joins = True, False
        if names := [name for name, parameter in named.items() if parameter in single_task]:
            warn(f"{', '.join(names)} are reached by several losses, of which one alone has a gradient there: {HEADS}")
