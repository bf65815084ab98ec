"""Heads that look shared, because outputs or losses were joined, and which loss takes which part cannot be read."""

from collections.abc import Collection, Mapping

from torch import Tensor

from equipoise.monitor.warning import warn

HEADS = (
    "if these are heads, take each loss from its own output, or from its part of what cat or stack joined "
    "before anything else is done with it; assignment to parts of a tensor joins them unseen"
)


def joined_heads(given: Mapping[str, Tensor], single_task: Collection[Tensor]) -> None:
    """Warn of parameters that autograd calls shared, of which all tasks but one have a zero gradient."""
    names = [name for name, parameter in given.items() if any(parameter is leaf for leaf in single_task)]
    if names:
        warn(
            f"{', '.join(names)} are reached by several losses, of which one alone has a gradient there: {HEADS}",
        )
