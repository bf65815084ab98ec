"""How a parameter is used: through which views and casts it reaches which operations, as which operand."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from equipoise.torch_private import saved

Consumers = Mapping[Any, Sequence[tuple[Any, int]]]


class Use(NamedTuple):
    """One operation that a parameter, perhaps transposed or cast, is an operand of."""

    node: Any
    operand: int
    transposed: bool

    @property
    def name(self) -> str:
        """The operation's node in the autograd graph."""
        return type(self.node).__name__


def uses_of(accumulator: Any, consumers: Consumers) -> list[Use]:
    """All uses of the parameter behind an accumulator, in a fixed order."""
    uses: list[Use] = []
    ways = [(accumulator, False)]
    while ways:
        node, transposed = ways.pop()
        for consumer, operand in consumers.get(node, ()):
            name = type(consumer).__name__
            if name == "ToCopyBackward0":
                ways.append((consumer, transposed))
            elif name in _TRANSPOSES and _TRANSPOSES[name](consumer):
                ways.append((consumer, not transposed))
            else:
                uses.append(Use(consumer, operand, transposed))
    return uses


def _always(node: Any) -> bool:
    return True


def _swaps(node: Any) -> bool:
    return bool((saved(node, "dim0") - saved(node, "dim1")) % 2 == 1)


def _permutes(node: Any) -> bool:
    return len(saved(node, "dims")) == 2 and bool(saved(node, "dims")[0] % 2 == 1)


# what may transpose a matrix, and whether this one does
_TRANSPOSES: dict[str, Callable[[Any], bool]] = {
    "TBackward0": _always,
    "TransposeBackward0": _swaps,
    "PermuteBackward0": _permutes,
}
