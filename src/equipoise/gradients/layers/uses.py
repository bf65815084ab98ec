"""How a parameter is used: through which views and casts it reaches which operations, as which operand."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from torch import Tensor

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


def saved(node: Any, name: str) -> Tensor:
    """A tensor that a node saved for its backward."""
    tensor = getattr(node, f"_saved_{name}")
    assert isinstance(tensor, Tensor)
    return tensor


def runs_hooks(node: Any) -> bool:
    """Whether to look at what a node saved runs a hook: a checkpoint would run its forward pass again."""
    return any(getattr(node, name).unpack_hook is not None for name in _saved_names(type(node)))  # type: ignore[arg-type]


@cache
def _saved_names(kind: type) -> tuple[str, ...]:
    return tuple(name for name in dir(kind) if name.startswith("_raw_saved_"))


def _always(node: Any) -> bool:
    return True


def _swaps(node: Any) -> bool:
    return bool((node._saved_dim0 - node._saved_dim1) % 2 == 1)


def _permutes(node: Any) -> bool:
    return len(node._saved_dims) == 2 and bool(node._saved_dims[0] % 2 == 1)


# what may transpose a matrix, and whether this one does
_TRANSPOSES: dict[str, Callable[[Any], bool]] = {
    "TBackward0": _always,
    "TransposeBackward0": _swaps,
    "PermuteBackward0": _permutes,
}
