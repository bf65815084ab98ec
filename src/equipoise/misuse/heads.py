"""Heads that look shared, because outputs or losses were joined before the losses were taken apart."""

import warnings
from collections.abc import Mapping, Sequence

from torch import Tensor


def joined_heads(given: Mapping[str, Tensor], lonely: Sequence[Tensor]) -> None:
    """Warn of parameters that autograd calls shared, of which all tasks but one have a zero gradient."""
    names = [name for name, parameter in given.items() if any(parameter is leaf for leaf in lonely)]
    if names:
        warnings.warn(
            f"{', '.join(names)} are reached by several losses, of which one alone has a gradient there: if these "
            "are heads, take each loss from its own output before outputs or losses are joined by cat or stack",
            stacklevel=2,
        )
